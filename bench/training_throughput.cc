// How fast training is: milliseconds a step, characters a second, GFLOP/s, and how much that is of
// what the machine's multiply-add units could do at most, measured in the same round.
//
//   training_throughput [--quick] [--rounds N] [--steps N] [--threads N] [--bf16] [--no-table]
//                       [--only NAME] > result.json
//
// --bf16: products in bfloat16. --no-table: layer 0 projects every token, as torch.nn.LSTM does.
// A shared machine moves by ten percent from minute to minute. So the shapes take turns, round by
// round, each round measures the peak anew, and the figures are medians over rounds.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "bench/fma_peak.h"
#include "model/backend/backend.h"
#include "model/backend/cpu/cpu_backend.h"
#include "model/base/error.h"
#include "model/base/philox.h"
#include "model/nn/sequence_model.h"

namespace traind {
namespace {

struct Options {
  bool quick = false;
  int rounds = 7;
  int steps = 3;  // a round
  int threads = 0;
  bool bf16 = false;
  bool table = true;
  std::string only;  // the workload of this name; empty = all
};

struct Workload {
  const char* name;
  ModelShape model;
  int batch;
  int steps;    // S = T
  bool ragged;  // lengths drawn from a quarter of `steps` to all of it, in no order
};

constexpr int kWords = 100;

std::vector<Workload> workloads(const Options& options) {
  const auto shape = [](int hidden, bool attention) {
    return ModelShape{2, hidden, hidden, false, attention, 0.3f, kWords, kWords};
  };
  if (options.quick) {
    return {{"quick", shape(64, false), 32, 20, false},
            {"quick, attention, ragged", shape(64, true), 32, 20, true}};
  }
  return {{"big", shape(512, false), 128, 40, false},
          {"big, ragged", shape(512, false), 128, 40, true},
          {"big, attention", shape(512, true), 128, 40, false},
          {"small", shape(256, false), 64, 40, false},
          {"small, ragged", shape(256, false), 64, 40, true},
          {"small, attention", shape(256, true), 64, 40, false},
          {"wide", shape(1024, false), 64, 40, false}};
}

// One fixed batch of random ids.
struct RandomBatch {
  RandomBatch(const Workload& work, std::uint64_t seed) : steps(work.steps) {
    RandomStream random(seed, RandomUse::kSample);
    const auto cells = static_cast<std::size_t>(work.steps) * static_cast<std::size_t>(work.batch);
    for (std::vector<std::int32_t>* ids : {&source, &target_in, &target_out}) {
      for (std::size_t i = 0; i < cells; ++i) {
        ids->push_back(static_cast<std::int32_t>(random.below(kWords)));
      }
    }
    const int shortest = work.ragged ? work.steps / 4 : work.steps;
    const auto choices = static_cast<std::uint32_t>(work.steps - shortest + 1);
    for (int b = 0; b < work.batch; ++b) {
      source_lengths.push_back(shortest + static_cast<std::int32_t>(random.below(choices)));
      target_lengths.push_back(shortest + static_cast<std::int32_t>(random.below(choices)));
    }
  }

  SequencePair pair() const {
    return {{source, source_lengths, steps},
            {target_in, target_lengths, steps},
            {target_out, target_lengths, steps}};
  }

  int steps;
  std::vector<std::int32_t> source, source_lengths, target_in, target_out, target_lengths;
};

// Multiply-adds of one step count two; the backward pass counts twice the forward one. Only true
// tokens count, so padding that is computed all the same shows as a lower rate.
struct StepWork {
  double chars = 0;           // of source and target
  double gflop = 0;           // every token projected, as torch.nn.LSTM does
  double gflop_by_table = 0;  // layer 0 projects each word of the vocabulary once instead
};

StepWork work_of(const Workload& work, const RandomBatch& batch) {
  const double hidden = work.model.hidden;
  const double input = work.model.embedding;
  const double layers = work.model.layers;
  double source = 0;
  double target = 0;
  double pairs = 0;  // of a target and a source token, for attention
  for (std::size_t b = 0; b < batch.source_lengths.size(); ++b) {
    source += batch.source_lengths[b];
    target += batch.target_lengths[b];
    pairs += static_cast<double>(batch.source_lengths[b]) * batch.target_lengths[b];
  }
  const double tokens = source + target;
  const double projection = 2 * 4 * hidden * input;  // layer 0, a token
  const double rest = 2 * 4 * hidden * (layers * hidden + (layers - 1) * hidden);  // a token
  double shared = tokens * rest + target * 2 * hidden * kWords;
  if (work.model.attention) {
    shared += source * 2 * hidden * hidden + pairs * 4 * hidden + target * 4 * hidden * hidden;
  }
  return {tokens, 3e-9 * (shared + tokens * projection), 3e-9 * (shared + 2 * kWords * projection)};
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// A workload with its model, and what was measured of it.
class Contender {
 public:
  Contender(Backend& backend, const Workload& work)
      : work_(work), batch_(work, 7), cost_(work_of(work, batch_)), model_(backend, work.model) {
    model_.initialise(1);
  }

  const Workload& work() const { return work_; }

  double step() {
    const auto start = std::chrono::steady_clock::now();
    ++step_;
    model_.forward_backward(batch_.pair(), {1, static_cast<std::uint64_t>(step_)});
    model_.update({0.9f, 0.999f, 1e-8f, 5.0f}, step_, 1e-3f);
    model_.take_result();
    return seconds_since(start);
  }

  void round(int steps, double peak_gflops) {
    std::vector<double> seconds;
    seconds.reserve(static_cast<std::size_t>(steps));
    for (int i = 0; i < steps; ++i) seconds.push_back(step());
    all_.insert(all_.end(), seconds.begin(), seconds.end());
    const double middle = median(seconds);
    fraction_.push_back(cost_.gflop / middle / peak_gflops);
    fraction_by_table_.push_back(cost_.gflop_by_table / middle / peak_gflops);
  }

  std::string json() const {
    const double middle = median(all_);
    char text[1024];
    std::snprintf(
        text, sizeof text,
        "    {\"name\": \"%s\", \"layers\": %d, \"hidden\": %d, \"embedding\": %d, \"batch\": %d, "
        "\"steps\": %d, \"words\": %d, \"attention\": %s, \"ragged\": %s, \"dropout\": %.2f,\n"
        "     \"parameters\": %lld, \"chars_per_step\": %.0f, \"gflop_per_step\": %.2f, "
        "\"gflop_per_step_by_table\": %.2f,\n"
        "     \"ms_per_step\": {\"median\": %.2f, \"min\": %.2f, \"max\": %.2f, \"samples\": %zu}, "
        "\"chars_per_second\": %.0f,\n"
        "     \"gflops\": %.1f, \"gflops_by_table\": %.1f, \"fraction_of_peak\": %.3f, "
        "\"fraction_of_peak_by_table\": %.3f}",
        work_.name, work_.model.layers, work_.model.hidden, work_.model.embedding, work_.batch,
        work_.steps, kWords, work_.model.attention ? "true" : "false",
        work_.ragged ? "true" : "false", static_cast<double>(work_.model.dropout),
        static_cast<long long>(model_.parameter_count()), cost_.chars, cost_.gflop,
        cost_.gflop_by_table, 1e3 * middle, 1e3 * *std::min_element(all_.begin(), all_.end()),
        1e3 * *std::max_element(all_.begin(), all_.end()), all_.size(), cost_.chars / middle,
        cost_.gflop / middle, cost_.gflop_by_table / middle, median(fraction_),
        median(fraction_by_table_));
    return text;
  }

  static double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  }

 private:
  Workload work_;
  RandomBatch batch_;
  StepWork cost_;
  SequenceModel model_;
  std::int64_t step_ = 0;
  std::vector<double> all_;                // seconds of each step
  std::vector<double> fraction_;           // of the peak, a round
  std::vector<double> fraction_by_table_;  // the same
};

int whole_number(const char* text, const char* option) {
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (*text == '\0' || *end != '\0' || value < 0 || value > 1000000) {
    throw Error(ErrorKind::kConfig, std::string(option) + " wants a number, not " + text);
  }
  return static_cast<int>(value);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto number = [&] {
      if (i + 1 >= argc) throw Error(ErrorKind::kConfig, argument + " wants a number");
      return whole_number(argv[++i], argument.c_str());
    };
    if (argument == "--quick") {
      options.quick = true;
      options.rounds = 2;
    } else if (argument == "--rounds") {
      options.rounds = std::max(1, number());
    } else if (argument == "--steps") {
      options.steps = std::max(1, number());
    } else if (argument == "--threads") {
      options.threads = number();
    } else if (argument == "--bf16") {
      options.bf16 = true;
    } else if (argument == "--no-table") {
      options.table = false;
    } else if (argument == "--only" && i + 1 < argc) {
      options.only = argv[++i];
    } else {
      throw Error(ErrorKind::kConfig,
                  "unknown argument " + argument +
                      "; usage: training_throughput [--quick] [--rounds N] [--steps N] "
                      "[--threads N] [--bf16] [--no-table] [--only NAME]");
    }
  }
  return options;
}

std::unique_ptr<Backend> cpu_for(const Options& options) {
  cpu::CpuOptions cpu;
  cpu.threads = options.threads;
  cpu.project_words = options.table;
  if (options.bf16) cpu.instruction_set = cpu::InstructionSet::kAvx512Bf16;
  return cpu::make_cpu_backend(cpu);
}

void run(const Options& options) {
  const std::unique_ptr<Backend> backend = cpu_for(options);
  const DeviceInfo device = backend->info();
  std::vector<std::unique_ptr<Contender>> contenders;
  for (const Workload& work : workloads(options)) {
    if (!options.only.empty() && options.only != work.name) continue;
    contenders.push_back(std::make_unique<Contender>(*backend, work));
    contenders.back()->step();  // warms up: memory is taken and paged in here
  }
  std::vector<double> peaks;
  for (int round = 0; round < options.rounds; ++round) {
    peaks.push_back(fma_peak_gflops(device.threads, options.quick ? 0.05 : 0.3));
    for (const auto& contender : contenders) contender->round(options.steps, peaks.back());
    std::fprintf(stderr, "round %d of %d, peak %.0f GFLOP/s\n", round + 1, options.rounds,
                 peaks.back());
  }
  std::printf(
      "{\n  \"bench\": \"training_throughput\",\n  \"device\": \"%s\",\n"
      "  \"threads\": %d,\n  \"table\": %s,\n  \"rounds\": %d,\n  \"fma_peak_gflops\": "
      "{\"median\": %.1f, "
      "\"min\": %.1f, \"max\": %.1f},\n  \"workloads\": [\n",
      device.name.c_str(), device.threads, options.table ? "true" : "false", options.rounds,
      Contender::median(peaks), *std::min_element(peaks.begin(), peaks.end()),
      *std::max_element(peaks.begin(), peaks.end()));
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    std::printf("%s%s\n", contenders[i]->json().c_str(), i + 1 < contenders.size() ? "," : "");
  }
  std::printf("  ]\n}\n");
}

}  // namespace
}  // namespace traind

int main(int argc, char** argv) {
  try {
    traind::run(traind::parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "training_throughput: %s\n", error.what());
    return 1;
  }
  return 0;
}
