#include "model/train/run_saver.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "model/base/error.h"

namespace traind {
namespace {

using Clock = std::chrono::steady_clock;

// Everything up to `stored` is in the database; it need not travel any further. The row and the
// epoch of one step are two commits, so an epoch goes only once a later step is known.
void drop_stored(std::int64_t stored, TrainState& state) {
  std::erase_if(state.rows, [&](const MetricRow& row) { return row.step <= stored; });
  std::erase_if(state.epochs, [&](const EpochDone& epoch) { return epoch.step < stored; });
}

}  // namespace

RunSaver::RunSaver(const RunFile& run, const Preparation& ready, CheckpointStore& store,
                   EventSink& events, TrainerControl& control)
    : run_(run),
      ready_(ready),
      events_(events),
      control_(control),
      writer_(store),
      last_save_(Clock::now()),
      last_save_batches_(ready.state.batches),
      durable_step_(ready.state.step),
      newest_digest_(ready.resumed_digest) {
  // The first snapshot takes memory from the system, which is ten times as slow as the copy. Now
  // no step waits for it.
  snapshot_ = ready.model->snapshot();
}

bool RunSaver::submit(TrainState& state, double trained_seconds, double epoch_seconds,
                      CheckpointReason reason, bool wait) {
  // After a resume the database may hold later steps than ours already: what this save is about is
  // not one of those.
  drop_stored(std::min(control_.acknowledged(), state.step), state);
  TrainState snapshot = state;
  snapshot.trained_seconds = trained_seconds;
  snapshot.epoch_seconds = epoch_seconds;
  SaveRequest request;
  request.step = state.step;
  request.best_step = state.best_step;
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
  last_save_ = Clock::now();
  last_save_batches_ = state.batches;
  reason_ = reason;
  epoch_ = state.epoch;
  best_step_ = state.best_step;
  return true;
}

void RunSaver::tell(const SaveResult& result) {
  if (result.error) {
    events_.on_event(Notice{result.error->kind(),
                            std::string("a checkpoint could not be saved; the older ones stand, "
                                        "and the next one is tried in due time: ") +
                                result.error->what()});
    return;
  }
  newest_digest_ = result.digest;
  durable_step_ = result.step;
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
  for (const std::string& file : result.pruned) events_.on_event(CheckpointPruned{file});
  if (result.prune_error) {
    events_.on_event(Notice{result.prune_error->kind(), result.prune_error->what()});
  }
}

std::optional<SaveResult> RunSaver::finish(const std::function<void()>& alive) {
  std::optional<SaveResult> newest;
  while (auto result = writer_.wait(alive)) {
    tell(*result);
    newest = std::move(result);
  }
  return newest;
}

std::optional<CheckpointReason> RunSaver::due(std::int64_t batches) {
  while (const auto result = writer_.poll()) tell(*result);
  const CheckpointSection& when = run_.checkpoint;
  if (control_.take_save_request()) return CheckpointReason::kRequest;
  const bool batches_over =
      when.every_batches > 0 && batches - last_save_batches_ >= when.every_batches;
  const bool minutes_over =
      when.every_minutes > 0 &&
      Clock::now() - last_save_ >= std::chrono::duration<double>(when.every_minutes * 60);
  if (batches_over || minutes_over) return CheckpointReason::kInterval;
  return std::nullopt;
}

void RunSaver::save(TrainState& state, double trained_seconds, double epoch_seconds,
                    CheckpointReason reason) {
  const bool taken = submit(state, trained_seconds, epoch_seconds, reason, false);
  if (!taken && reason == CheckpointReason::kRequest) control_.request_save();
}

void RunSaver::save_epoch(TrainState& state, double trained_seconds,
                          const std::function<void()>& alive) {
  finish(alive);
  submit(state, trained_seconds, 0, CheckpointReason::kEpoch, true);
  epoch_ = state.epochs.back().epoch;  // the state is in the next one already
  const auto result = finish(alive);
  if (result && !result->error) state.epochs.back().digest = result->digest;
}

void RunSaver::save_stop(TrainState& state, double trained_seconds, double epoch_seconds,
                         const std::function<void()>& alive) {
  finish(alive);
  if (durable_step_ == state.step) return;
  submit(state, trained_seconds, epoch_seconds, CheckpointReason::kStop, true);
  const auto result = finish(alive);
  if (result && result->error) throw Error(*result->error);
}

}  // namespace traind
