#include "model/train/run_course.h"

#include <algorithm>

#include "model/train/measure.h"
#include "model/train/schedule.h"

namespace traind {
namespace {

constexpr double kSecondsInHour = 3600;

}  // namespace

std::int64_t updates_of(const TrainSection& train, std::int64_t batches) {
  return (batches + train.accumulate - 1) / train.accumulate;
}

std::int64_t total_updates(const TrainSection& train, const TrainState& state,
                           std::int64_t batches) {
  const std::int64_t before = state.step - updates_of(train, state.batch);
  const std::int64_t epochs = std::max(0, train.epochs - state.epoch + 1);
  const std::int64_t all = before + epochs * updates_of(train, batches);
  return train.max_steps > 0 ? std::min(all, train.max_steps) : all;
}

double rate_of(const RunFile& run, const TrainState& state, std::int64_t update,
               std::int64_t batches) {
  return learning_rate(run.train, run.schedule,
                       {update, total_updates(run.train, state, batches), state.results});
}

std::optional<EndReason> reached_limit(const TrainSection& train, const TrainState& state,
                                       double trained_seconds) {
  if (train.max_steps > 0 && state.step >= train.max_steps) return EndReason::kStepLimit;
  const bool time_is_over =
      train.max_hours > 0 && trained_seconds >= train.max_hours * kSecondsInHour;
  // One update at least, so that there is something to keep.
  if (time_is_over && state.step > 0) return EndReason::kTimeLimit;
  return std::nullopt;
}

std::optional<EndReason> reason_to_end(const TrainSection& train, const TrainState& state,
                                       double trained_seconds) {
  if (state.cut_short) {
    return reached_limit(train, state, trained_seconds).value_or(EndReason::kTimeLimit);
  }
  if (state.epoch > train.epochs) return EndReason::kAllEpochs;
  if (train.patience > 0 && epochs_without_better(train.best, state.results) >= train.patience) {
    return EndReason::kEarlyStop;
  }
  return reached_limit(train, state, trained_seconds);
}

}  // namespace traind
