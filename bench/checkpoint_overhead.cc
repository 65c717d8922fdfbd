// What durable checkpoints every ten seconds cost a training: the same model trained with and
// without them in turn, and the median of the ratios. Figures as JSON to stdout.
//
// The trainer's own path is measured: copy on the training thread, checksums, write and fsync
// beside it. Rounds alternate their order, so that a machine that gets slower favours neither.
//
// usage: checkpoint_overhead [--quick | ROUNDS SECONDS]: so many rounds (7) of so many seconds (30)
// with and as many without.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "model/backend/backend.h"
#include "model/base/philox.h"
#include "model/checkpoint/writer.h"
#include "model/nn/sequence_model.h"

namespace traind {
namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  int hidden = 512;
  int batch = 128;
  int steps = 40;       // characters each way
  double seconds = 30;  // of training in each half of a round
  double every_seconds = 10;
  int rounds = 7;
};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

class Training {
 public:
  explicit Training(const Options& options)
      : options_(options),
        device_(make_backend({"cpu", 0})),
        model_(*device_.backend, shape(options)),
        ids_(static_cast<std::size_t>(options.steps * options.batch)),
        lengths_(static_cast<std::size_t>(options.batch), options.steps),
        folder_(std::filesystem::temp_directory_path() / "traind-checkpoint-overhead") {
    std::filesystem::remove_all(folder_);
    RandomStream random(1, RandomUse::kSample);
    for (std::int32_t& id : ids_) id = 4 + static_cast<std::int32_t>(random.below(96));
    model_.initialise(1);
    snapshot_ = model_.snapshot();  // takes memory from the system now, as the trainer does
  }
  ~Training() { std::filesystem::remove_all(folder_); }
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;

  // Steps a second over about options.seconds; with checkpoints, the last one is waited for.
  double rate(bool with_checkpoints) {
    CheckpointStore store(posix_files(), folder_.string());
    CheckpointWriter writer(store);
    const Clock::time_point begin = Clock::now();
    int steps = 0;
    int saves = 0;
    while (seconds_since(begin) < options_.seconds) {
      step();
      ++steps;
      // The first at half an interval, so that what follows the copy falls into the time too.
      const double due = (saves + 0.5) * options_.every_seconds;
      if (with_checkpoints && seconds_since(begin) >= due) {
        writer.submit(request(), true);
        ++saves;
      }
      while (const auto result = writer.poll()) note(*result);
    }
    while (const auto result = writer.wait()) note(*result);
    return steps / seconds_since(begin);
  }

  double bytes() const { return bytes_; }
  double worst_stall() const { return worst_stall_; }

 private:
  static ModelShape shape(const Options& options) {
    ModelShape shape;
    shape.layers = 2;
    shape.hidden = shape.embedding = options.hidden;
    shape.source_words = shape.target_words = 100;
    return shape;
  }

  void step() {
    const Sequences sequence{ids_, lengths_, options_.steps};
    model_.forward_backward({sequence, sequence, sequence}, {1, static_cast<std::uint64_t>(step_)});
    model_.update({}, ++step_, 1e-4f);
    model_.take_result();
  }

  SaveRequest request() {
    SaveRequest request;
    request.step = step_;
    request.keep = 2;
    const std::size_t row = row_size(model_.parameters());
    for (std::size_t r = 0; r < 3; ++r) {
      for (const ParameterEntry& entry : model_.parameters()) {
        request.tensors.push_back(
            {std::to_string(r) + "." + entry.name, entry.shape, r * row + entry.offset, r == 0});
      }
    }
    request.row_size = 3 * row;
    request.snapshot = [this] {
      snapshot_.reset();
      snapshot_ = model_.snapshot();
      return [this] { return snapshot_->wait(); };
    };
    return request;
  }

  void note(const SaveResult& result) {
    if (result.error) throw Error(*result.error);
    bytes_ = static_cast<double>(result.bytes);
    worst_stall_ = std::max(worst_stall_, result.stall_seconds);
  }

  const Options options_;
  ChosenBackend device_;
  SequenceModel model_;
  std::unique_ptr<Snapshot> snapshot_;
  std::vector<std::int32_t> ids_;
  std::vector<std::int32_t> lengths_;
  std::filesystem::path folder_;
  std::int64_t step_ = 0;
  double bytes_ = 0;
  double worst_stall_ = 0;
};

int measure(const Options& options) {
  Training training(options);
  std::vector<double> losses;
  std::printf("{\"bench\": \"checkpoint_overhead\", \"every_seconds\": %.1f, \"rounds\": [",
              options.every_seconds);
  for (int round = 0; round < options.rounds; ++round) {
    const bool with_first = round % 2 == 0;
    const double first = training.rate(with_first);
    const double second = training.rate(!with_first);
    const double with = with_first ? first : second;
    const double without = with_first ? second : first;
    losses.push_back(1 - with / without);
    std::printf("%s\n  {\"steps_per_second_without\": %.4f, \"with\": %.4f, \"lost\": %.4f}",
                round == 0 ? "" : ",", without, with, losses.back());
    std::fflush(stdout);
  }
  std::sort(losses.begin(), losses.end());
  std::printf("\n], \"megabytes\": %.1f, \"worst_stall_ms\": %.2f, \"lost_median\": %.4f}\n",
              training.bytes() / 1e6, training.worst_stall() * 1e3, losses[losses.size() / 2]);
  return 0;
}

}  // namespace
}  // namespace traind

int main(int count, char** arguments) {
  traind::Options options;
  if (count > 1 && std::strcmp(arguments[1], "--quick") == 0) {
    options = {64, 16, 10, 0.3, 0.1, 3};
  } else if (count == 3) {
    options.rounds = std::max(1, std::atoi(arguments[1]));
    options.seconds = std::atof(arguments[2]);
  }
  try {
    return traind::measure(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "checkpoint_overhead: %s\n", error.what());
    return 1;
  }
}
