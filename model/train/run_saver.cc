#include "model/train/run_saver.h"

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "model/base/error.h"

namespace traind {
namespace {

// How often somebody who waits looks whether to wait any longer.
constexpr std::chrono::milliseconds kLook(100);

bool is_of_the_disk(const Error& error) {
  return error.kind() == ErrorKind::kIo || error.kind() == ErrorKind::kNoSpace;
}

}  // namespace

RunSaver::RunSaver(const RunFile& run, const Preparation& ready, CheckpointStore& store,
                   EventSink& events, TrainerControl& control, const SavePatience& patience)
    : run_(run),
      ready_(ready),
      events_(events),
      control_(control),
      patience_(patience),
      writer_(store),
      last_save_(Clock::now()),
      last_save_batches_(ready.state.batches),
      delay_(patience.first),
      durable_step_(ready.state.step),
      durable_best_(ready.state.best_step),
      newest_digest_(ready.resumed_digest) {
  // The first snapshot takes memory from the system, which is ten times as slow as the copy. Now
  // no step waits for it.
  snapshot_ = ready.model->snapshot();
}

// Everything up to the acknowledged step is in the database; it need not travel any further. The
// row and the epoch of one step are two commits, so an epoch goes only once a later step is known;
// one that was told late, only once a step is known that was told after it. After a resume the
// database may hold later steps than ours already: what this save is about is not one of those.
void RunSaver::drop_stored(TrainState& state) {
  const std::int64_t stored = std::min(control_.acknowledged(), state.step);
  std::erase_if(held_,
                [&](const Held& held) { return held.told_at >= 0 && held.told_at < stored; });
  std::erase_if(state.rows, [&](const MetricRow& row) { return row.step <= stored; });
  std::erase_if(state.epochs, [&](const EpochDone& epoch) {
    return epoch.step < stored && std::ranges::none_of(held_, [&](const Held& held) {
             return held.epoch.epoch == epoch.epoch;
           });
  });
}

bool RunSaver::submit(TrainState& state, double trained_seconds, double epoch_seconds,
                      CheckpointReason reason, bool wait) {
  drop_stored(state);
  TrainState snapshot = state;
  snapshot.trained_seconds = trained_seconds;
  snapshot.epoch_seconds = epoch_seconds;
  SaveRequest request;
  request.step = state.step;
  // The checkpoint of the best epoch may never have come about: then the best one before it stays.
  request.best_step = state.best_step == state.step ? state.best_step : durable_best_;
  request.keep = run_.checkpoint.keep;
  encode_state(snapshot, ready_.identity, request.metadata);
  const std::size_t row = row_size(ready_.model->parameters());
  request.row_size = checkpoint_floats(*ready_.model);
  for (const CheckpointTensor& tensor : checkpoint_tensors(*ready_.model)) {
    request.tensors.push_back({tensor.name, tensor.shape,
                               static_cast<std::size_t>(tensor.row) * row + tensor.offset,
                               tensor.row == 0});
  }
  request.snapshot = [this] {
    snapshot_.reset();  // its memory is for the next one
    snapshot_ = ready_.model->snapshot();
    return [this] { return snapshot_->wait(); };
  };
  if (!writer_.submit(std::move(request), wait)) return false;
  under_way_ = true;
  kept_ = false;
  reason_ = reason;
  if (reason == CheckpointReason::kRequest) wanted_ = false;
  epoch_ = state.epoch;
  best_step_ = state.best_step;
  last_save_ = taken_ = Clock::now();
  last_save_batches_ = taken_batches_ = state.batches;
  return true;
}

void RunSaver::try_again() {
  writer_.again();
  under_way_ = true;
  last_save_ = Clock::now();
  last_save_batches_ = ready_.state.batches;
}

void RunSaver::tell_failure(const Error& error) {
  if (!error_) {
    events_.on_event(Notice{
        error.kind(), std::string("a checkpoint could not be saved; the older ones stand, and ") +
                          (pauses() ? "training waits until one can be saved: "
                                    : "it is tried again until it works: ") +
                          error.what()});
  }
  error_ = error;
  // An epoch is told only with its checkpoint, and the best one may be among those.
  kept_ = reason_ == CheckpointReason::kEpoch;
  retry_at_ = Clock::now() + delay_;
  std::chrono::milliseconds longest = patience_.longest;
  if (run_.checkpoint.every_minutes > 0) {
    const std::chrono::duration<double> interval(run_.checkpoint.every_minutes * 60);
    longest = std::min(longest, std::chrono::ceil<std::chrono::milliseconds>(interval));
  }
  delay_ = std::min(2 * delay_, std::max(longest, patience_.first));
}

void RunSaver::tell_recovery() {
  if (!error_) return;
  error_.reset();
  kept_ = false;
  delay_ = patience_.first;
  events_.on_event(Notice{ErrorKind::kState, "checkpoints can be saved again"});
}

void RunSaver::tell_pruning(const SaveResult& result) {
  for (const std::string& file : result.pruned) events_.on_event(CheckpointPruned{file});
  const bool told = std::exchange(pruning_fails_, result.prune_error.has_value());
  if (result.prune_error && !told) {
    events_.on_event(Notice{result.prune_error->kind(), result.prune_error->what()});
  }
}

void RunSaver::tell_epochs(std::int64_t durable_step) {
  for (Held& held : held_) {
    if (held.told_at >= 0 || held.epoch.step > durable_step) continue;
    events_.on_event(held.epoch);
    held.told_at = ready_.state.step;
  }
}

void RunSaver::tell(const SaveResult& result) {
  under_way_ = false;
  // Known before the disk is asked, so it is there also when that fails.
  if (reason_ == CheckpointReason::kEpoch) held_.back().epoch.digest = result.digest;
  if (result.error && result.error->kind() == ErrorKind::kCancelled) return;
  if (result.error) return tell_failure(*result.error);
  newest_digest_ = result.digest;
  durable_step_ = result.step;
  if (result.step == best_step_) durable_best_ = best_step_;
  // What was trained while this one could not be saved is not in it.
  last_save_ = taken_;
  last_save_batches_ = taken_batches_;
  CheckpointSaved saved;
  saved.file = result.file;
  saved.step = result.step;
  saved.epoch = epoch_;
  saved.reason = reason_;
  saved.bytes = static_cast<std::int64_t>(result.bytes);
  saved.digest = result.digest;
  saved.best = result.step == best_step_;
  saved.stall_seconds = result.stall_seconds;
  saved.write_seconds = result.write_seconds;
  events_.on_event(saved);
  tell_pruning(result);
  tell_recovery();
  tell_epochs(result.step);
}

void RunSaver::finish(const Alive& alive) {
  while (const auto result = writer_.wait(alive)) tell(*result);
}

// Tries again what has failed until it works. False when it is given up, and when it is not the
// disk that fails: waiting is of no use then.
bool RunSaver::insist(const Alive& alive, const std::function<bool()>& give_up) {
  waiting_ = true;
  finish(alive);
  Clock::time_point counted = Clock::now();
  while (error_ && is_of_the_disk(*error_) && !give_up()) {
    if (Clock::now() >= retry_at_) {
      try_again();
      finish(alive);
    } else {
      std::this_thread::sleep_until(std::min(retry_at_, Clock::now() + kLook));
    }
    const Clock::time_point now = Clock::now();
    waited_seconds_ += std::chrono::duration<double>(now - counted).count();
    counted = now;
    if (alive) alive();
  }
  waiting_ = false;
  return !error_;
}

std::optional<CheckpointReason> RunSaver::due(std::int64_t batches) {
  while (const auto result = writer_.poll()) tell(*result);
  const CheckpointSection& when = run_.checkpoint;
  const Clock::time_point now = Clock::now();
  if (control_.take_save_request()) {
    wanted_ = true;
    retry_at_ = now;
  }
  const bool batches_over =
      when.every_batches > 0 && batches - last_save_batches_ >= when.every_batches;
  const bool minutes_over =
      when.every_minutes > 0 &&
      now - last_save_ >= std::chrono::duration<double>(when.every_minutes * 60);
  const bool waits = pauses() && error_ && is_of_the_disk(*error_);
  const bool retry = error_ && !under_way_ && (waits || now >= retry_at_);
  if (wanted_ && (!error_ || retry)) return CheckpointReason::kRequest;
  if (batches_over || minutes_over) return CheckpointReason::kInterval;
  if (retry) return reason_;
  return std::nullopt;
}

void RunSaver::save(TrainState& state, double trained_seconds, double epoch_seconds,
                    CheckpointReason reason, const Alive& alive) {
  if (under_way_) return;
  if (kept_) {
    try_again();
  } else {
    submit(state, trained_seconds, epoch_seconds, reason, false);
  }
  if (error_ && pauses()) insist(alive, [this] { return control_.stop_requested(); });
}

void RunSaver::save_epoch(TrainState& state, double trained_seconds, const Alive& alive) {
  // An interval's save, which a stop has no time for.
  finish([&] {
    if (control_.stop_requested() && !kept_) writer_.hurry();
    if (alive) alive();
  });
  submit(state, trained_seconds, 0, CheckpointReason::kEpoch, true);
  epoch_ = state.epochs.back().epoch;  // the state is in the next one already
  held_.push_back({state.epochs.back()});
  finish(alive);
  if (error_ && pauses()) insist(alive, [this] { return control_.stop_requested(); });
  state.epochs.back().digest = held_.back().epoch.digest;
}

void RunSaver::save_last(const Alive& alive) {
  delay_ = patience_.first;
  retry_at_ = Clock::now();
  std::optional<Clock::time_point> deadline;
  const auto give_up = [&] {
    if (!control_.stop_requested()) return false;
    if (!deadline) deadline = Clock::now() + patience_.at_stop;
    return Clock::now() >= *deadline;
  };
  if (!insist(alive, give_up)) throw Error(*error_);
}

void RunSaver::save_stop(TrainState& state, double trained_seconds, double epoch_seconds,
                         const Alive& alive) {
  // An older state is worth waiting for only when most of it is written.
  if (!kept_ && taken_batches_ != state.batches) writer_.hurry();
  finish(alive);
  if (durable_step_ == state.step) return;
  delay_ = patience_.first;
  submit(state, trained_seconds, epoch_seconds, CheckpointReason::kStop, true);
  const Clock::time_point deadline = Clock::now() + patience_.at_stop;
  if (!insist(alive, [&] { return Clock::now() >= deadline; })) throw Error(*error_);
}

std::string RunSaver::trouble() const {
  if (!error_) return {};
  return (waiting_ ? "training waits until a checkpoint can be saved: "
                   : "no checkpoint can be saved, and training goes on: ") +
         std::string(error_->what());
}

double RunSaver::take_waited() { return std::exchange(waited_seconds_, 0.0); }

}  // namespace traind
