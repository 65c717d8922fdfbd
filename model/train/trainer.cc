#include "model/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/base/error.h"
#include "model/checkpoint/store.h"
#include "model/data/batch_stream.h"
#include "model/train/answerer.h"
#include "model/train/held_out.h"
#include "model/train/measure.h"
#include "model/train/pace.h"
#include "model/train/preparation.h"
#include "model/train/run_course.h"
#include "model/train/run_records.h"
#include "model/train/run_saver.h"
#include "model/train/step_ledger.h"

namespace traind {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kBetweenProgress = std::chrono::milliseconds(250);
constexpr double kSecondsInHour = 3600;

UpdateSettings update_settings(const TrainSection& train) {
  UpdateSettings settings;
  settings.optimizer = train.optimizer;
  settings.beta1 = static_cast<float>(train.beta1);
  settings.beta2 = static_cast<float>(train.beta2);
  settings.epsilon = static_cast<float>(train.epsilon);
  settings.clip_norm = static_cast<float>(train.clip_norm);
  settings.momentum = static_cast<float>(train.momentum);
  settings.weight_decay = static_cast<float>(train.weight_decay);
  return settings;
}

}  // namespace

// What lives from the end of the preparation to the end of the run. Trainer's thread only.
struct Trainer::Session {
  Session(Preparation prepared, const TrainerOptions& options, CheckpointStore& store,
          EventSink& sink, TrainerControl& trainer_control)
      : ready(std::move(prepared)),
        run(ready.run),
        state(ready.state),
        events(sink),
        control(trainer_control),
        target(options.target),
        saver(run, ready, store, sink, trainer_control, options.patience),
        pace(state.trained_seconds, Clock::now()),
        ledger(*ready.model, state, pace),
        epoch_begin(Clock::now()) {
    if (options.open_gauges) gauges = options.open_gauges(ready.model->device());
  }

  Preparation ready;
  const RunFile& run;
  TrainState& state;
  EventSink& events;
  TrainerControl& control;
  const std::optional<TrainingTarget> target;
  RunSaver saver;
  Pace pace;
  StepLedger ledger;
  Clock::time_point epoch_begin;
  Clock::time_point last_progress;
  std::function<GpuGauges()> gauges;
  // Of the epoch under way.
  std::optional<BatchPlan> plan;
  int planned_epoch = 0;
  std::optional<HeldOut> held_out;
  BatchSize held_out_size;
  std::int64_t batches = 0;
  bool limited = false;  // a limit of steps or hours ends it before its last batch

  void begin();
  void open_epoch();
  bool train_epoch();
  bool finish_epoch();
  bool update(const std::vector<Batch>& group);
  void after_update(std::int64_t batches_before);
  void look_for_limit();
  void finish_row();
  void save_when_due();
  void tell_progress(Phase phase, bool now = false);
  void tell_saving(bool now);
  void leave_out_waits();
  double rate() const { return rate_of(run, state, state.step, batches); }
  double trained_seconds() const { return pace.trained_seconds(Clock::now()); }
  double seconds_in_epoch() const;
  bool arrived() const;
  void end(EndReason reason);
};

void Trainer::Session::begin() {
  open_epoch();
  control.began();
  events.on_event(started_record(ready, batches));
  for (const SettingChanged& change : ready.changes) events.on_event(change);
  // What the last worker may not have got across. Whoever has it already replaces it by itself.
  if (ready.resumed_step >= 0) events.on_event(resumed_record(ready));
  // By step, because whoever has a row is taken to have all that came before it.
  auto epoch = state.epochs.cbegin();
  for (const MetricRow& row : state.rows) {
    for (; epoch != state.epochs.cend() && epoch->step < row.step; ++epoch) events.on_event(*epoch);
    events.on_event(row);
  }
  for (; epoch != state.epochs.cend(); ++epoch) events.on_event(*epoch);
  tell_progress(Phase::kTraining, true);
}

// The batches of the epoch in state.epoch. An epoch under way ends with the batch size it began
// with. Throws Error(kCancelled) when a stop comes in between.
void Trainer::Session::open_epoch() {
  if (state.batch == 0) state.batch_size = batch_size_of(run.train);
  if (!held_out || held_out_size != state.batch_size) {
    held_out.emplace(*ready.corpus, ready.encoding(), state.batch_size, run.decode);
    held_out_size = state.batch_size;
  }
  if (planned_epoch == state.epoch) return;
  plan.emplace(*ready.corpus, run.seed, state.epoch, state.batch_size, ready.encoding(), [this] {
    if (control.stop_requested()) throw Error(ErrorKind::kCancelled, "stopped between two epochs");
    tell_progress(Phase::kIndexing);
  });
  planned_epoch = state.epoch;
  batches = plan->size();
}

double Trainer::Session::seconds_in_epoch() const {
  return state.epoch_seconds + std::chrono::duration<double>(Clock::now() - epoch_begin).count();
}

void Trainer::Session::tell_progress(Phase phase, bool now) {
  const Clock::time_point time = Clock::now();
  if (!now && time - last_progress < kBetweenProgress) return;
  last_progress = time;
  Progress progress;
  progress.phase = phase;
  progress.step = state.step;
  progress.epoch = std::min(state.epoch, run.train.epochs);
  progress.batch = state.batch;
  progress.batches = batches;
  progress.loss = ledger.last_loss();
  progress.examples_per_second = pace.examples_per_second();
  progress.tokens_per_second = pace.tokens_per_second();
  progress.trained_seconds = pace.trained_seconds(time);
  const std::int64_t updates = total_updates(run.train, state, batches) - state.step;
  const std::int64_t an_epoch = std::max<std::int64_t>(1, updates_of(run.train, batches));
  progress.seconds_left = pace.seconds_left(updates, updates / an_epoch + 1);
  if (run.train.max_hours > 0 && progress.seconds_left >= 0) {
    const double allowed = run.train.max_hours * kSecondsInHour - progress.trained_seconds;
    progress.seconds_left = std::clamp(progress.seconds_left, 0.0, std::max(0.0, allowed));
  }
  if (gauges) progress.gpu = gauges();
  progress.trouble = saver.trouble();
  progress.save_still_seconds = saver.still_seconds();
  events.on_event(progress);
}

// A sign of life while a checkpoint is written, or cannot be.
void Trainer::Session::tell_saving(bool now) {
  leave_out_waits();
  tell_progress(Phase::kSaving, now);
}

// Waiting for a disk that refuses is no training: it counts for no limit of hours and no speed.
void Trainer::Session::leave_out_waits() {
  const double waited = saver.take_waited();
  if (waited <= 0) return;
  pace.stood_still(waited);
  pace.pause_ended(Clock::now());
  epoch_begin += std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(waited));
}

// Everything about the update is decided by (run file, corpus, seed, state). One that loss scaling
// skips counts like any other, in the state as in Adam's bias correction: whether it was skipped is
// known only when the next one is under way. False when a stop came between two of its batches, of
// which there may be many: then nothing of it counts, and its gradients are left behind.
bool Trainer::Session::update(const std::vector<Batch>& group) {
  TrainingPass pass;
  pass.seed = run.seed;
  pass.smoothing = static_cast<float>(run.train.label_smoothing);
  for (const Batch& batch : group) pass.tokens += batch.target_tokens();
  std::int64_t examples = 0;
  std::int64_t tokens = pass.tokens;
  pass.draw = static_cast<std::uint64_t>(state.batches);
  for (const Batch& batch : group) {
    if (&batch != &group.front()) {
      if (control.stop_requested()) return false;
      tell_progress(Phase::kTraining);
    }
    ready.model->forward_backward(pair_of(batch), pass);
    ++pass.draw;
    examples += batch.batch_size;
    tokens += batch.source_tokens();
  }
  state.batches += static_cast<std::int64_t>(group.size());
  state.batch += static_cast<std::int64_t>(group.size());
  ++state.step;
  state.inputs += examples;
  ready.model->update(update_settings(run.train), state.step, static_cast<float>(rate()));
  ledger.taken(examples, tokens);
  return true;
}

void Trainer::Session::finish_row() {
  MetricRow row =
      row_record(state, batches, held_out->first_batch_loss(*ready.model), rate(), pace);
  if (gauges) row.gpu = gauges();
  state.row = {};
  state.rows.push_back(row);
  events.on_event(row);
}

void Trainer::Session::look_for_limit() {
  const bool reached = target ? target->cut_short && state.step == target->step
                              : reached_limit(run.train, state, trained_seconds()).has_value();
  limited = state.batch > 0 && reached;
}

// Also when it was passed by: going on would be of no use.
bool Trainer::Session::arrived() const {
  if (!target || state.step < target->step) return false;
  return state.step > target->step || state.batch == target->batch;
}

// A row ends with the update that brings the epoch's batches to a multiple of report.every_batches
// or beyond, and with the last update of the epoch.
void Trainer::Session::after_update(std::int64_t batches_before) {
  const std::int64_t every = run.report.every_batches;
  look_for_limit();
  const bool last = state.batch == batches || limited;
  if (last || state.batch / every > batches_before / every) {
    ledger.settle();
    finish_row();
  }
  save_when_due();
  tell_progress(Phase::kTraining);
}

// False when a stop came in between, or the target.
bool Trainer::Session::train_epoch() {
  try {
    open_epoch();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kCancelled) throw;
    return false;
  }
  pace.pause_ended(Clock::now());
  const auto accumulate = static_cast<std::size_t>(run.train.accumulate);
  BatchStream stream(
      state.batch, batches,
      [this, epoch = state.epoch](std::int64_t k) {
        return load_batch(*ready.corpus, *plan, k, epoch, ready.encoding());
      },
      accumulate + 1);
  look_for_limit();
  while (state.batch < batches && !limited) {
    if (control.stop_requested() || arrived()) break;
    const std::int64_t before = state.batch;
    std::vector<Batch> group;
    while (group.size() < accumulate &&
           before + static_cast<std::int64_t>(group.size()) < batches) {
      group.push_back(stream.next());
    }
    if (!update(group)) break;
    after_update(before);
  }
  ledger.settle();
  return (state.batch == batches || limited) && !arrived();
}

void Trainer::Session::save_when_due() {
  const auto reason = saver.due(state.batches);
  if (!reason) return;
  ledger.settle();
  saver.save(state, trained_seconds(), seconds_in_epoch(), *reason, [this] { tell_saving(false); });
}

// False when a stop came in between: the epoch is validated anew after the resume.
bool Trainer::Session::finish_epoch() {
  if (const auto notice = ledger.take_skipped(state.epoch)) events.on_event(*notice);
  tell_progress(Phase::kValidating, true);
  const Clock::time_point begin = Clock::now();
  const auto validation =
      held_out->validate(*ready.model, run.seed, state.epoch, run.report.samples, [this] {
        tell_progress(Phase::kValidating);
        return !control.stop_requested();
      });
  if (!validation) return false;
  if (!std::isfinite(validation->loss)) {
    throw Error(ErrorKind::kDiverged, "the validation loss after epoch " +
                                          std::to_string(state.epoch) + " is not finite");
  }
  pace.validated(std::chrono::duration<double>(Clock::now() - begin).count());
  EpochDone epoch = epoch_record(run, state, *validation, rate(), pace);
  epoch.epoch_seconds = seconds_in_epoch();
  state.results.push_back(value_of(epoch.measure, epoch.valid_loss, epoch.scores));
  if (epoch.best) state.best_step = state.step;
  state.epochs.push_back(epoch);
  state.cut_short = state.batch < batches;
  ++state.epoch;
  state.batch = 0;
  state.inputs = 0;
  state.epoch_loss = 0;
  state.epoch_tokens = 0;
  state.epoch_seconds = 0;
  epoch_begin = Clock::now();
  saver.save_epoch(state, trained_seconds(), [this] { tell_saving(true); });
  pace.pause_ended(Clock::now());
  return true;
}

void Trainer::Session::end(EndReason reason) {
  const bool stopped = reason == EndReason::kStopRequested;
  if (stopped) {
    saver.save_stop(state, trained_seconds(), seconds_in_epoch(), [this] { tell_saving(true); });
  } else {
    saver.save_last([this] { tell_saving(true); });
  }
  RunEnded ended;
  ended.reason = reason;
  ended.step = state.step;
  ended.epoch = stopped ? std::min(state.epoch, run.train.epochs) : state.epoch - 1;
  ended.digest = saver.newest_digest();
  ended.trained_seconds = trained_seconds();
  events.on_event(ended);
}

Trainer::Trainer(RunFile run, TrainerOptions options, EventSink& events, TrainerControl& control)
    : run_(std::move(run)), options_(std::move(options)), events_(events), control_(control) {}

void Trainer::run() {
  CheckpointStore store(*options_.files, options_.folder.checkpoints());
  PrepareOptions prepare_options;
  prepare_options.folder = options_.folder;
  prepare_options.accept_changed_data = options_.accept_changed_data;
  prepare_options.changes = options_.changes;
  prepare_options.files = options_.files;
  prepare_options.needs_space = options_.needs_space;
  prepare_options.make_device = options_.make_device;
  prepare_options.on_progress = [this] {
    if (control_.stop_requested()) throw Error(ErrorKind::kCancelled, "stopped while starting");
    Progress progress;
    progress.phase = Phase::kIndexing;
    events_.on_event(progress);
  };
  Session session(prepare(run_, prepare_options, store, events_), options_, store, events_,
                  control_);
  session.begin();
  for (;;) {
    // A limit that was reached in the middle of an epoch waits for that epoch's validation.
    if (session.state.batch == 0 && !options_.target) {
      const auto reason = reason_to_end(run_.train, session.state, session.trained_seconds());
      if (reason) return session.end(*reason);
    }
    if (session.arrived() || !session.train_epoch() || !session.finish_epoch()) {
      return session.end(EndReason::kStopRequested);
    }
  }
}

}  // namespace traind
