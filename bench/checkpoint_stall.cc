// How long training stands still for a checkpoint, and how long until it is durable: 103 MB, which
// are the weights and both moments of 8.57 million parameters. The stall is all of submit(), with
// one or two threads in place of the backend, copying through the cache (memcpy) or past it.
// Figures as JSON to stdout.
//
// usage: checkpoint_stall [--quick] [--folder FOLDER]
#ifdef __SSE2__
#include <immintrin.h>
#endif

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "model/base/error.h"
#include "model/base/files.h"
#include "model/checkpoint/store.h"
#include "model/checkpoint/writer.h"

namespace traind {
namespace {

struct Options {
  std::size_t parameters = 8'566'667;
  int saves = 30;
  std::string folder = std::filesystem::temp_directory_path() / "traind-checkpoint-stall";
};

struct Figures {
  double first_stall = 0;  // the one that also takes memory from the system
  std::vector<double> stalls;
  std::vector<double> writes;
};

struct Copy {
  const char* name;
  std::size_t threads;
  void (*copy)(float* to, const float* from, std::size_t floats);
};

void copy_through_cache(float* to, const float* from, std::size_t floats) {
  std::memcpy(to, from, floats * sizeof(float));
}

// Writing past the cache saves reading what is about to be overwritten. `to` is aligned to 64
// bytes.
void copy_past_cache(float* to, const float* from, std::size_t floats) {
#ifdef __SSE2__
  constexpr std::size_t kWord = sizeof(__m128) / sizeof(float);
  const std::size_t streamed = floats / kWord * kWord;
  for (std::size_t i = 0; i < streamed; i += kWord) {
    _mm_stream_ps(to + i, _mm_loadu_ps(from + i));
  }
  _mm_sfence();
  copy_through_cache(to + streamed, from + streamed, floats - streamed);
#else
  copy_through_cache(to, from, floats);
#endif
}

constexpr Copy kCopies[] = {{"memcpy", 1, copy_through_cache},
                            {"memcpy", 2, copy_through_cache},
                            {"streamed", 1, copy_past_cache},
                            {"streamed", 2, copy_past_cache}};

void copy_with_threads(std::span<const float> from, std::span<float> to, const Copy& how) {
  constexpr std::size_t kLine = 16;  // floats in 64 bytes: shares start on a line of the cache
  const std::size_t share = (from.size() / how.threads / kLine + 1) * kLine;
  const auto copy_share = [&](std::size_t index) {
    const std::size_t begin = std::min(index * share, from.size());
    const std::size_t end = std::min(begin + share, from.size());
    how.copy(to.data() + begin, from.data() + begin, end - begin);
  };
  std::vector<std::thread> others;
  for (std::size_t index = 1; index < how.threads; ++index) others.emplace_back(copy_share, index);
  copy_share(0);
  for (std::thread& other : others) other.join();
}

// As many tensors as a model of two layers has, times three for the moments.
SaveRequest request_of(std::int64_t step, std::span<const float> state, const Copy& how) {
  constexpr std::size_t kTensors = 60;
  SaveRequest request;
  request.step = step;
  request.keep = 2;
  request.row_size = state.size();
  const std::size_t share = state.size() / kTensors;
  for (std::size_t i = 0; i < kTensors; ++i) {
    const std::size_t size = i + 1 < kTensors ? share : state.size() - i * share;
    request.tensors.push_back({"tensor." + std::to_string(i),
                               {static_cast<std::int64_t>(size)},
                               i * share,
                               i < kTensors / 3});
  }
  request.copy = [=](std::span<float> row) { copy_with_threads(state, row, how); };
  return request;
}

Figures measure(const Options& options, std::span<const float> state, const Copy& how) {
  std::filesystem::remove_all(options.folder);
  CheckpointStore store(posix_files(), options.folder);
  CheckpointWriter writer(store);
  Figures figures;
  for (int step = 0; step <= options.saves; ++step) {
    writer.submit(request_of(step, state, how), true);
    const SaveResult result = writer.wait().value();
    if (result.error) throw Error(*result.error);
    if (step == 0) {
      figures.first_stall = result.stall_seconds;
      continue;
    }
    figures.stalls.push_back(result.stall_seconds);
    figures.writes.push_back(result.write_seconds);
  }
  std::filesystem::remove_all(options.folder);
  std::sort(figures.stalls.begin(), figures.stalls.end());
  std::sort(figures.writes.begin(), figures.writes.end());
  return figures;
}

void print(const Figures& figures, const Copy& how) {
  const std::size_t middle = figures.stalls.size() / 2;
  std::printf(
      "    {\"copy\": \"%s\", \"threads\": %zu, \"first_stall_ms\": %.2f, \"stall_ms\": "
      "{\"min\": %.2f, \"median\": %.2f, \"max\": %.2f}, \"durable_ms\": {\"median\": %.1f, "
      "\"max\": %.1f}}",
      how.name, how.threads, figures.first_stall * 1e3, figures.stalls.front() * 1e3,
      figures.stalls[middle] * 1e3, figures.stalls.back() * 1e3, figures.writes[middle] * 1e3,
      figures.writes.back() * 1e3);
}

bool parse(int count, char** arguments, Options& options) {
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--quick") {
      options.parameters = 400'000;
      options.saves = 5;
    } else if (argument == "--folder" && i + 1 < count) {
      options.folder = std::string(arguments[++i]) + "/traind-checkpoint-stall";
    } else {
      return false;
    }
  }
  return true;
}

int run(int count, char** arguments) {
  Options options;
  if (!parse(count, arguments, options)) {
    std::fputs("usage: checkpoint_stall [--quick] [--folder FOLDER]\n", stderr);
    return 2;
  }
  const std::vector<float> state(3 * options.parameters, 1.0f);
  std::printf("{\n  \"bench\": \"checkpoint_stall\",\n  \"bytes\": %zu,\n  \"saves\": %d,\n",
              state.size() * sizeof(float), options.saves);
  std::printf("  \"copies\": [\n");
  for (const Copy& how : kCopies) {
    print(measure(options, state, how), how);
    std::printf("%s\n", &how == std::end(kCopies) - 1 ? "" : ",");
  }
  std::printf("  ]\n}\n");
  return 0;
}

}  // namespace
}  // namespace traind

int main(int count, char** arguments) {
  try {
    return traind::run(count, arguments);
  } catch (const traind::Error& error) {
    std::fprintf(stderr, "checkpoint_stall: %s\n", error.what());
    return traind::exit_code(error.kind());
  }
}
