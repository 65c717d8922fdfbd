#include "model/train/trainer.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "model/base/error.h"
#include "model/checkpoint/store.h"
#include "model/data/batch_stream.h"
#include "model/train/answerer.h"
#include "model/train/held_out.h"
#include "model/train/pace.h"
#include "model/train/preparation.h"
#include "model/train/run_saver.h"

namespace traind {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kBetweenProgress = std::chrono::milliseconds(250);

double mean(double sum, std::int64_t count) {
  return count == 0 ? 0.0 : sum / static_cast<double>(count);
}

// Loss scaling may skip a step whose gradients are too large for 16 bits, as long as it can still
// lower its scale; a loss that is not finite is none of its business.
void refuse_divergence(std::int64_t step, const StepResult& result) {
  const bool loss_is_finite = std::isfinite(result.loss.loss);
  const bool norm_is_fine =
      result.skipped ? result.loss_scale > 1 : std::isfinite(result.gradient_norm);
  if (loss_is_finite && norm_is_fine) return;
  throw Error(ErrorKind::kDiverged,
              "step " + std::to_string(step) + ": the " +
                  (loss_is_finite ? "gradient norm" : "loss") +
                  " is not finite. The newest checkpoint is from before it; try a lower "
                  "train.learning_rate or train.clip_norm.");
}

}  // namespace

// What lives from the end of the preparation to the end of the run. Trainer's thread only.
struct Trainer::Session {
  Session(Preparation prepared, const TrainerOptions& options, CheckpointStore& store,
          EventSink& sink, TrainerControl& trainer_control)
      : ready(std::move(prepared)),
        run(ready.run),
        device(ready.model->device()),
        state(ready.state),
        events(sink),
        control(trainer_control),
        held_out(*ready.corpus, *ready.source, *ready.target, run.train.batch_size,
                 device.step_multiple),
        saver(run, ready, store, sink, trainer_control),
        pace(state.trained_seconds, Clock::now()),
        epoch_begin(Clock::now()) {
    if (options.open_gauges) gauges = options.open_gauges(device);
  }

  Preparation ready;
  const RunFile& run;
  const DeviceInfo& device;
  TrainState& state;
  EventSink& events;
  TrainerControl& control;
  HeldOut held_out;
  RunSaver saver;
  Pace pace;
  Clock::time_point epoch_begin;
  Clock::time_point last_progress;
  std::function<GpuGauges()> gauges;
  std::int64_t batches = 0;  // in the epoch being trained
  double last_loss = 0;      // of the last step whose result is known, nats a token
  // The newest step, as long as its result is not read: it is taken while the next one is under
  // way, so that the device never waits for us. Nothing is told, saved or ended before it is.
  struct Unsettled {
    std::int64_t step = 0;  // its number, from 1
    std::int64_t examples = 0;
    std::int64_t tokens = 0;
  };
  std::optional<Unsettled> unsettled;
  std::int64_t skipped_steps = 0;  // by loss scaling, in this epoch, by this worker
  float loss_scale = 0;

  void begin();
  bool train_epoch();
  bool finish_epoch();
  void step(const Batch& batch);
  void settle();
  void count(const Unsettled& step, const StepResult& result);
  void finish_row();
  void save_when_due();
  void tell_skipped_steps();
  EpochDone epoch_record(const Validation& validation);
  void tell_progress(Phase phase, bool now = false);
  double seconds_in_epoch() const;
  void end(EndReason reason);
};

void Trainer::Session::begin() {
  const CorpusReport& corpus = ready.corpus->report();
  RunStarted started;
  started.device = device.kind;
  started.device_name = device.name;
  started.device_reason = ready.device.reason;
  started.parameters = ready.model->parameter_count();
  started.train_examples = corpus.train_examples;
  started.valid_examples = corpus.valid_examples;
  started.skipped_lines = corpus.skipped_lines;
  started.source_vocabulary = ready.source->size();
  started.target_vocabulary = ready.target->size();
  batches = BatchPlan(*ready.corpus, run.seed, state.epoch, run.train.batch_size).size();
  started.batches_per_epoch = batches;
  started.epochs = run.train.epochs;
  started.resumed_step = ready.resumed_step;
  started.resumed_from = ready.resumed_from;
  started.corpus_fingerprint = ready.identity.corpus_fingerprint;
  started.config = ready.identity.config;
  events.on_event(started);
  // What the last worker may not have got across. Whoever has it already replaces it by itself.
  for (const MetricRow& row : state.rows) events.on_event(row);
  for (const EpochDone& epoch : state.epochs) events.on_event(epoch);
  tell_progress(Phase::kTraining, true);
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
  progress.loss = last_loss;
  progress.examples_per_second = pace.examples_per_second();
  progress.tokens_per_second = pace.tokens_per_second();
  progress.trained_seconds = pace.trained_seconds(time);
  const int epochs_left = run.train.epochs - state.epoch;
  progress.seconds_left =
      pace.seconds_left(batches - state.batch + epochs_left * batches, epochs_left + 1);
  if (gauges) progress.gpu = gauges();
  events.on_event(progress);
}

// Everything about the step is decided by (run file, corpus, seed, step). A step that loss scaling
// skips counts like any other, in the state as in Adam's bias correction: whether it was skipped is
// known only when the next one is under way.
void Trainer::Session::step(const Batch& batch) {
  const SequencePair pair = pair_of(batch);
  ready.model->forward_backward(pair, {run.seed, static_cast<std::uint64_t>(state.step)});
  UpdateSettings adam;
  adam.beta1 = static_cast<float>(run.train.beta1);
  adam.beta2 = static_cast<float>(run.train.beta2);
  adam.epsilon = static_cast<float>(run.train.epsilon);
  adam.clip_norm = static_cast<float>(run.train.clip_norm);
  ready.model->update(adam, state.step + 1, static_cast<float>(run.train.learning_rate));
  ++state.step;
  ++state.batch;
  state.inputs += batch.batch_size;
  const std::optional<Unsettled> before = std::exchange(
      unsettled,
      Unsettled{state.step, batch.batch_size, batch.source_tokens() + batch.target_tokens()});
  if (before) count(*before, ready.model->take_result());
}

void Trainer::Session::settle() {
  if (!unsettled) return;
  const Unsettled step = *std::exchange(unsettled, std::nullopt);
  count(step, ready.model->take_result());
}

void Trainer::Session::count(const Unsettled& step, const StepResult& result) {
  refuse_divergence(step.step, result);
  state.epoch_loss += result.loss.loss;
  state.epoch_tokens += result.loss.tokens;
  state.row.loss += result.loss.loss;
  state.row.tokens += result.loss.tokens;
  state.row.correct += result.loss.correct;
  if (result.skipped) {
    ++skipped_steps;
  } else {
    state.row.gradient_norm += result.gradient_norm;
    ++state.row.steps;
  }
  loss_scale = result.loss_scale;
  last_loss = mean(result.loss.loss, result.loss.tokens);
  pace.step(step.examples, step.tokens, Clock::now());
}

void Trainer::Session::tell_skipped_steps() {
  if (skipped_steps == 0) return;
  char text[256];
  std::snprintf(text, sizeof text,
                "epoch %d: %lld steps were left out because their gradients did not fit into 16 "
                "bits; the loss scale is now %g. A few are normal; with many, use precision = "
                "\"bf16\".",
                state.epoch, static_cast<long long>(skipped_steps),
                static_cast<double>(loss_scale));
  events.on_event(Notice{ErrorKind::kDiverged, text});
  skipped_steps = 0;
}

void Trainer::Session::finish_row() {
  MetricRow row;
  row.step = state.step;
  row.epoch = state.epoch;
  row.batch = state.batch;
  row.batches_per_epoch = batches;
  row.inputs = state.inputs;
  row.loss = mean(state.row.loss, state.row.tokens);
  row.accuracy = mean(static_cast<double>(state.row.correct), state.row.tokens);
  row.valid_loss = held_out.first_batch_loss(*ready.model);
  row.gradient_norm = mean(state.row.gradient_norm, state.row.steps);
  row.rate = run.train.learning_rate;
  row.examples_per_second = pace.examples_per_second();
  row.tokens_per_second = pace.tokens_per_second();
  row.trained_seconds = pace.trained_seconds(Clock::now());
  if (gauges) row.gpu = gauges();
  state.row = {};
  state.rows.push_back(row);
  events.on_event(row);
}

bool Trainer::Session::train_epoch() {
  const BatchPlan plan(*ready.corpus, run.seed, state.epoch, run.train.batch_size);
  batches = plan.size();
  BatchStream stream(state.batch, batches, [&, epoch = state.epoch](std::int64_t k) {
    return load_batch(*ready.corpus, plan, k, epoch, *ready.source, *ready.target,
                      device.step_multiple);
  });
  while (state.batch < batches) {
    if (control.stop_requested()) break;
    step(stream.next());
    if (state.batch % run.report.every_batches == 0 || state.batch == batches) {
      settle();
      finish_row();
    }
    save_when_due();
    tell_progress(Phase::kTraining);
  }
  settle();
  return state.batch == batches;
}

void Trainer::Session::save_when_due() {
  const auto reason = saver.due(state.step);
  if (!reason) return;
  settle();
  saver.save(state, pace.trained_seconds(Clock::now()), seconds_in_epoch(), *reason);
}

EpochDone Trainer::Session::epoch_record(const Validation& validation) {
  EpochDone epoch;
  epoch.epoch = state.epoch;
  epoch.epochs = run.train.epochs;
  epoch.step = state.step;
  epoch.train_loss = mean(state.epoch_loss, state.epoch_tokens);
  epoch.valid_loss = validation.loss;
  epoch.scores = validation.scores;
  epoch.samples = validation.samples;
  epoch.best = validation.loss < state.best_valid_loss;
  epoch.rate = run.train.learning_rate;
  epoch.epoch_seconds = seconds_in_epoch();
  epoch.trained_seconds = pace.trained_seconds(Clock::now());
  epoch.examples_per_second = pace.examples_per_second();
  epoch.tokens_per_second = pace.tokens_per_second();
  return epoch;
}

// False when a stop came in between: the epoch is validated anew after the resume.
bool Trainer::Session::finish_epoch() {
  tell_skipped_steps();
  tell_progress(Phase::kValidating, true);
  const Clock::time_point begin = Clock::now();
  const auto validation =
      held_out.validate(*ready.model, run.seed, state.epoch, run.report.samples, [this] {
        tell_progress(Phase::kValidating);
        return !control.stop_requested();
      });
  if (!validation) return false;
  if (!std::isfinite(validation->loss)) {
    throw Error(ErrorKind::kDiverged, "the validation loss after epoch " +
                                          std::to_string(state.epoch) + " is not finite");
  }
  pace.validated(std::chrono::duration<double>(Clock::now() - begin).count());
  const EpochDone epoch = epoch_record(*validation);
  if (epoch.best) {
    state.best_valid_loss = epoch.valid_loss;
    state.best_step = state.step;
  }
  state.epochs.push_back(epoch);
  ++state.epoch;
  state.batch = 0;
  state.inputs = 0;
  state.epoch_loss = 0;
  state.epoch_tokens = 0;
  state.epoch_seconds = 0;
  epoch_begin = Clock::now();
  saver.save_epoch(state, pace.trained_seconds(Clock::now()),
                   [this] { tell_progress(Phase::kSaving, true); });
  events.on_event(state.epochs.back());
  pace.pause_ended(Clock::now());
  return true;
}

void Trainer::Session::end(EndReason reason) {
  if (reason == EndReason::kStopRequested) {
    saver.save_stop(state, pace.trained_seconds(Clock::now()), seconds_in_epoch(),
                    [this] { tell_progress(Phase::kSaving, true); });
  }
  RunEnded ended;
  ended.reason = reason;
  ended.step = state.step;
  ended.epoch = std::min(state.epoch, run.train.epochs);
  ended.digest = saver.newest_digest();
  ended.trained_seconds = pace.trained_seconds(Clock::now());
  events.on_event(ended);
}

Trainer::Trainer(RunFile run, TrainerOptions options, EventSink& events, TrainerControl& control)
    : run_(std::move(run)), options_(std::move(options)), events_(events), control_(control) {}

void Trainer::run() {
  CheckpointStore store(*options_.files, options_.folder.checkpoints());
  PrepareOptions prepare_options;
  prepare_options.folder = options_.folder;
  prepare_options.accept_changed_data = options_.accept_changed_data;
  prepare_options.files = options_.files;
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
  while (session.state.epoch <= run_.train.epochs) {
    if (session.train_epoch() && session.finish_epoch()) continue;
    session.end(EndReason::kStopRequested);
    return;
  }
  session.end(EndReason::kAllEpochs);
}

}  // namespace traind
