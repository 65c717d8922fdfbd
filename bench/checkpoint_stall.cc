// How long training stands still for a checkpoint, and how long until it is durable: 103 MB, which
// are the weights and both moments of 8.57 million parameters. The stall is all of submit(), which
// takes the CPU backend's snapshot with one thread and with two. Figures as JSON to stdout.
//
// usage: checkpoint_stall [--quick] [--folder FOLDER]
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/backend/backend.h"
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

// As many tensors as a model of two layers has, times three for the moments.
SaveRequest request_of(std::int64_t step, Backend& backend, const Tensor& state,
                       std::unique_ptr<Snapshot>& snapshot) {
  constexpr std::size_t kTensors = 60;
  SaveRequest request;
  request.step = step;
  request.keep = 2;
  request.row_size = state.size;
  const std::size_t share = state.size / kTensors;
  for (std::size_t i = 0; i < kTensors; ++i) {
    const std::size_t size = i + 1 < kTensors ? share : state.size - i * share;
    request.tensors.push_back({"tensor." + std::to_string(i),
                               {static_cast<std::int64_t>(size)},
                               i * share,
                               i < kTensors / 3});
  }
  request.snapshot = [&] {
    snapshot.reset();
    snapshot = backend.snapshot({&state, 1});
    return [&] { return snapshot->wait(); };
  };
  return request;
}

Figures measure(const Options& options, int threads) {
  std::filesystem::remove_all(options.folder);
  const std::unique_ptr<Backend> backend = make_backend({"cpu", threads}).backend;
  const std::unique_ptr<Buffer> state = backend->allocate(3 * options.parameters);
  backend->write(state->tensor(), std::vector<float>(state->tensor().size, 1.0f));
  CheckpointStore store(posix_files(), options.folder);
  std::unique_ptr<Snapshot> snapshot;
  CheckpointWriter writer(store);
  Figures figures;
  for (int step = 0; step <= options.saves; ++step) {
    writer.submit(request_of(step, *backend, state->tensor(), snapshot), true);
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

void print(const Figures& figures, int threads) {
  const std::size_t middle = figures.stalls.size() / 2;
  std::printf(
      "    {\"threads\": %d, \"first_stall_ms\": %.2f, \"stall_ms\": "
      "{\"min\": %.2f, \"median\": %.2f, \"max\": %.2f}, \"durable_ms\": {\"median\": %.1f, "
      "\"max\": %.1f}}",
      threads, figures.first_stall * 1e3, figures.stalls.front() * 1e3,
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
  std::printf("{\n  \"bench\": \"checkpoint_stall\",\n  \"bytes\": %zu,\n  \"saves\": %d,\n",
              3 * options.parameters * sizeof(float), options.saves);
  std::printf("  \"snapshots\": [\n");
  for (const int threads : {1, 2}) {
    print(measure(options, threads), threads);
    std::printf("%s\n", threads == 2 ? "" : ",");
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
