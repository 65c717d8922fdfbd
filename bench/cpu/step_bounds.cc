// What a training step cannot be faster than: its matrix products alone, with the backend's own
// kernels, and what the machine's multiply-add units do at most, measured beside them.
//
//   step_bounds [--hidden H] [--batch B] [--steps T] [--bf16] [--threads N] [--repeat N]
//               [--peak-seconds S] > result.json
//
// The model is that of training_throughput, I = H, without attention, every token projected.
// Exit status 3 where the processor has no instructions for the precision asked for.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "bench/bare_products.h"
#include "bench/fma_peak.h"
#include "bench/samples.h"
#include "model/base/error.h"

namespace traind {
namespace {

constexpr int kNotHere = 3;

struct Options {
  ProductShape shape;
  Precision precision = Precision::kFp32;
  int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  int repeat = 3;
  double peak_seconds = 0.3;
};

void run(const Options& options) {
  const double peak = fma_peak_gflops(options.threads, options.peak_seconds);
  BareProducts products(options.shape, options.precision, options.threads);
  products.run();  // memory is paged in
  std::vector<double> milliseconds;
  milliseconds.reserve(static_cast<std::size_t>(options.repeat));
  for (int i = 0; i < options.repeat; ++i) milliseconds.push_back(1e3 * products.run());
  std::printf(
      "{\"bench\": \"step_bounds\", \"hidden\": %d, \"batch\": %d, \"steps\": %d, \"bf16\": %s, "
      "\"threads\": %d,\n \"fma_peak_gflops\": %.1f, \"gflop_per_step\": %.2f, \"gflops\": %.1f,\n "
      "\"ms_per_step\": %s}\n",
      options.shape.hidden, options.shape.batch, options.shape.steps,
      options.precision == Precision::kBf16 ? "true" : "false", options.threads, peak,
      products.gflop(), 1e3 * products.gflop() / median(milliseconds),
      samples_json(milliseconds).c_str());
}

Options parse(int argc, char** argv) {
  Options options;
  const std::unordered_map<std::string, int*> numbers = {{"--hidden", &options.shape.hidden},
                                                         {"--batch", &options.shape.batch},
                                                         {"--steps", &options.shape.steps},
                                                         {"--threads", &options.threads},
                                                         {"--repeat", &options.repeat}};
  for (int i = 1; i < argc; ++i) {
    const auto number = numbers.find(argv[i]);
    const bool followed = i + 1 < argc && std::atof(argv[i + 1]) > 0;
    if (std::strcmp(argv[i], "--bf16") == 0) {
      options.precision = Precision::kBf16;
    } else if (number != numbers.end() && followed) {
      *number->second = std::atoi(argv[++i]);
    } else if (std::strcmp(argv[i], "--peak-seconds") == 0 && followed) {
      options.peak_seconds = std::atof(argv[++i]);
    } else {
      throw Error(ErrorKind::kConfig,
                  std::string("cannot use ") + argv[i] +
                      "; usage: step_bounds [--hidden H] [--batch B] [--steps T] [--bf16] "
                      "[--threads N] [--repeat N] [--peak-seconds S]");
    }
  }
  options.shape.embedding = options.shape.hidden;
  return options;
}

}  // namespace
}  // namespace traind

int main(int argc, char** argv) {
  try {
    traind::run(traind::parse(argc, argv));
  } catch (const traind::Error& error) {
    std::fprintf(stderr, "step_bounds: %s\n", error.what());
    return error.kind() == traind::ErrorKind::kDevice ? traind::kNotHere : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "step_bounds: %s\n", error.what());
    return 1;
  }
  return 0;
}
