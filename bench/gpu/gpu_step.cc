// How fast training is on a GPU: milliseconds a step in each precision, at the shapes that
// torch_gpu.py measures too, and what of a step is not the device's. Figures as JSON to stdout.
//
//   gpu_step [--quick] [--rounds N] [--steps N] [--only WORKLOAD] > result.json
//
// Exit status 3 where there is no GPU.
//
// Results are taken one step late, as the trainer does. A second figure takes them three steps
// late, so that the device always has work queued: what is shorter there is time outside the
// device's work, the share that the host costs. The precisions of a shape take turns, round by
// round; figures are medians over rounds.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "model/backend/backend.h"
#include "model/base/error.h"
#include "model/base/philox.h"
#include "model/nn/sequence_model.h"

namespace traind {
namespace {

constexpr int kNoGpu = 3;
constexpr int kWords = 100;
constexpr int kAsTrained = 1;  // steps that a result is late
constexpr int kQueuedDeep = 3;

struct Options {
  bool quick = false;
  int rounds = 7;
  int steps = 60;    // a round
  std::string only;  // a workload's name; empty = all
};

struct Workload {
  const char* name;
  ModelShape model;
  int batch;
  int steps;  // S = T
};

std::vector<Workload> workloads(const Options& options) {
  const auto shape = [](int hidden, bool attention) {
    return ModelShape{2, hidden, hidden, false, attention, 0.3f, kWords, kWords};
  };
  if (options.quick) return {{"quick", shape(64, true), 16, 12}};
  return {{"2x512", shape(512, false), 128, 40},
          {"2x512, attention", shape(512, true), 128, 40},
          {"2x1024", shape(1024, false), 256, 40},
          {"2x1024, attention", shape(1024, true), 256, 40}};
}

struct NamedPrecision {
  const char* name;
  Precision precision;
};
constexpr NamedPrecision kPrecisions[] = {{"fp32", Precision::kFp32},
                                          {"tf32", Precision::kTf32},
                                          {"bf16", Precision::kBf16},
                                          {"fp16", Precision::kFp16}};

// One fixed batch of random ids, all of full length.
struct RandomBatch {
  explicit RandomBatch(const Workload& work)
      : steps(work.steps), lengths(static_cast<std::size_t>(work.batch), work.steps) {
    RandomStream random(7, RandomUse::kSample);
    for (std::vector<std::int32_t>* ids : {&source, &target_in, &target_out}) {
      for (std::size_t i = 0; i < lengths.size() * static_cast<std::size_t>(steps); ++i) {
        ids->push_back(static_cast<std::int32_t>(random.below(kWords)));
      }
    }
  }
  SequencePair pair() const {
    return {{source, lengths, steps}, {target_in, lengths, steps}, {target_out, lengths, steps}};
  }

  int steps;
  std::vector<std::int32_t> lengths, source, target_in, target_out;
};

// Multiply-adds of one step count two; the backward pass counts twice the forward one.
double gflop_of(const Workload& work) {
  const double hidden = work.model.hidden;
  const double tokens = static_cast<double>(work.batch) * work.steps;  // of one side
  const double layer = 2 * 4 * hidden * (2 * hidden);                  // a token
  double flop = 2 * tokens * work.model.layers * layer + tokens * 2 * hidden * kWords;
  if (work.model.attention) {
    flop += tokens * (2 * hidden * hidden + 4 * hidden * work.steps + 4 * hidden * hidden);
  }
  return 3e-9 * flop;
}

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// A workload in one precision, and what was measured of it, in milliseconds.
class Contender {
 public:
  Contender(const Workload& work, const NamedPrecision& precision)
      : precision_(precision.name),
        gflop_(gflop_of(work)),
        characters_(2.0 * work.batch * work.steps),
        batch_(work),
        backend_(make_backend({"cuda", 0, precision.precision, false}).backend),
        model_(*backend_, work.model),
        state_(backend_->allocate(3 * static_cast<std::size_t>(model_.parameter_count()))) {
    model_.initialise(1);
    // The first steps take memory, try algorithms and make graphs.
    for (int i = 0; i < 5; ++i) run(1, kAsTrained);
  }

  void round(int steps) {
    host_ = 0;
    steps_.push_back(run(steps, kAsTrained));
    hosts_.push_back(host_ / steps);
    deep_.push_back(run(steps, kQueuedDeep));
    stalls_.push_back(snapshot_stall());
  }

  std::int64_t parameters() const { return model_.parameter_count(); }
  double characters() const { return characters_; }
  double gflop() const { return gflop_; }

  std::string json() const {
    const double middle = median(steps_);
    const double outside = std::max(0.0, 1 - median(deep_) / middle);
    char text[1024];
    std::snprintf(text, sizeof text,
                  "       {\"precision\": \"%s\", \"ms_per_step\": {\"median\": %.4f, "
                  "\"min\": %.4f, \"max\": %.4f, \"samples\": %zu},\n"
                  "        \"chars_per_second\": %.0f, \"tflops\": %.2f, "
                  "\"ms_per_step_queued_deep\": %.4f, \"ms_of_host_per_step\": %.4f, "
                  "\"share_outside_device\": %.4f, \"checkpoint_stall_ms\": %.4f}",
                  precision_, middle, *std::min_element(steps_.begin(), steps_.end()),
                  *std::max_element(steps_.begin(), steps_.end()), steps_.size(),
                  1e3 * characters_ / middle, gflop_ / middle, median(deep_), median(hosts_),
                  outside, median(stalls_));
    return text;
  }

 private:
  // Milliseconds a step; ends with an idle device.
  double run(int steps, int late) {
    const auto start = Clock::now();
    for (int i = 0; i < steps; ++i) {
      const auto begin = Clock::now();
      ++step_;
      model_.forward_backward(batch_.pair(), {1, static_cast<std::uint64_t>(step_)});
      model_.update({0.9f, 0.999f, 1e-8f, 5.0f}, step_, 1e-3f);
      host_ += milliseconds_since(begin);
      if (i >= late) model_.take_result();
    }
    for (int i = 0; i < std::min(steps, late); ++i) model_.take_result();
    return milliseconds_since(start) / steps;
  }

  // How long a step that follows has to wait for a checkpoint's copy: parameters and both moments.
  double snapshot_stall() {
    std::vector<double> with;
    std::vector<double> without;
    const Tensor state = state_->tensor();
    for (int i = 0; i < 5; ++i) {
      without.push_back(time_until_done(nullptr));
      std::unique_ptr<Snapshot> snapshot;
      with.push_back(time_until_done([&] { snapshot = backend_->snapshot({&state, 1}); }));
      snapshot->wait();
    }
    return std::max(0.0, median(with) - median(without));
  }

  template <class Call>
  double time_until_done(const Call& call) {
    const auto start = Clock::now();
    if constexpr (!std::is_null_pointer_v<Call>) call();
    float one = 0;
    backend_->read(state_->tensor().part(0, 1), {&one, 1});  // waits for what comes before it
    return milliseconds_since(start);
  }

  const char* precision_;
  const double gflop_;
  const double characters_;
  const RandomBatch batch_;
  std::unique_ptr<Backend> backend_;
  SequenceModel model_;
  std::unique_ptr<Buffer> state_;  // stands for the model's rows
  std::int64_t step_ = 0;
  double host_ = 0;
  std::vector<double> steps_, hosts_, deep_, stalls_;
};

void measure(const Workload& work, const Options& options) {
  std::vector<std::unique_ptr<Contender>> contenders;
  for (const NamedPrecision& precision : kPrecisions) {
    try {
      contenders.push_back(std::make_unique<Contender>(work, precision));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kDevice && error.kind() != ErrorKind::kConfig) throw;
      std::fprintf(stderr, "%s, %s: %s\n", work.name, precision.name, error.what());
    }
  }
  for (int round = 0; round < options.rounds; ++round) {
    for (const auto& contender : contenders) contender->round(options.steps);
  }
  std::printf(
      "    {\"name\": \"%s\", \"layers\": %d, \"hidden\": %d, \"batch\": %d, "
      "\"steps\": %d, \"words\": %d, \"attention\": %s, \"dropout\": %.2f,\n"
      "     \"parameters\": %lld, \"chars_per_step\": %.0f, \"gflop_per_step\": %.2f, "
      "\"precisions\": [\n",
      work.name, work.model.layers, work.model.hidden, work.batch, work.steps, kWords,
      work.model.attention ? "true" : "false", static_cast<double>(work.model.dropout),
      contenders.empty() ? 0LL : static_cast<long long>(contenders[0]->parameters()),
      2.0 * work.batch * work.steps, gflop_of(work));
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    std::printf("%s%s\n", contenders[i]->json().c_str(), i + 1 < contenders.size() ? "," : "");
  }
  std::printf("     ]}");
}

int whole_number(const char* text, const std::string& option) {
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (*text == '\0' || *end != '\0' || value < 1 || value > 1000000) {
    throw Error(ErrorKind::kConfig, option + " wants a number above 0, not " + text);
  }
  return static_cast<int>(value);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--quick") {
      options = {true, 2, 8, ""};
    } else if (argument == "--rounds" && i + 1 < argc) {
      options.rounds = whole_number(argv[++i], argument);
    } else if (argument == "--steps" && i + 1 < argc) {
      options.steps = whole_number(argv[++i], argument);
    } else if (argument == "--only" && i + 1 < argc) {
      options.only = argv[++i];
    } else {
      throw Error(ErrorKind::kConfig,
                  "unknown argument " + argument +
                      "; usage: gpu_step [--quick] [--rounds N] [--steps N] [--only WORKLOAD]");
    }
  }
  return options;
}

int run(const Options& options) {
  DeviceInfo device;
  try {
    device = make_backend({"cuda", 0}).backend->info();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kDevice) throw;
    std::fprintf(stderr, "gpu_step: %s\n", error.what());
    return kNoGpu;
  }
  std::printf(
      "{\n  \"bench\": \"gpu_step\",\n  \"device\": \"%s\",\n  \"rounds\": %d,\n"
      "  \"steps_per_round\": %d,\n  \"workloads\": [\n",
      device.name.c_str(), options.rounds, options.steps);
  bool first = true;
  for (const Workload& work : workloads(options)) {
    if (!options.only.empty() && options.only != work.name) continue;
    if (!first) std::printf(",\n");
    first = false;
    measure(work, options);
    std::fprintf(stderr, "%s done\n", work.name);
  }
  std::printf("\n  ]\n}\n");
  return 0;
}

}  // namespace
}  // namespace traind

int main(int argc, char** argv) {
  try {
    return traind::run(traind::parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpu_step: %s\n", error.what());
    return 1;
  }
}
