#include "model/worker/event_codec.h"

#include "model/base/plain_text.h"

namespace traind {
namespace {

// Free text passes one_line(): a message that is not UTF-8 would be none to the daemon.

v1::Phase to_proto(Phase phase) {
  switch (phase) {
    case Phase::kStarting:
      return v1::PHASE_STARTING;
    case Phase::kIndexing:
      return v1::PHASE_INDEXING;
    case Phase::kTraining:
      return v1::PHASE_TRAINING;
    case Phase::kValidating:
      return v1::PHASE_VALIDATING;
    case Phase::kSaving:
      return v1::PHASE_SAVING;
  }
  return v1::PHASE_UNSPECIFIED;
}

v1::CheckpointReason to_proto(CheckpointReason reason) {
  switch (reason) {
    case CheckpointReason::kInterval:
      return v1::CHECKPOINT_REASON_INTERVAL;
    case CheckpointReason::kEpoch:
      return v1::CHECKPOINT_REASON_EPOCH;
    case CheckpointReason::kStop:
      return v1::CHECKPOINT_REASON_STOP;
    case CheckpointReason::kRequest:
      return v1::CHECKPOINT_REASON_REQUEST;
  }
  return v1::CHECKPOINT_REASON_UNSPECIFIED;
}

v1::Measure to_proto(Measure measure) {
  switch (measure) {
    case Measure::kLoss:
      return v1::MEASURE_LOSS;
    case Measure::kExact:
      return v1::MEASURE_EXACT;
    case Measure::kCharacterAccuracy:
      return v1::MEASURE_CHARACTER_ACCURACY;
    case Measure::kCharacterErrorRate:
      return v1::MEASURE_CHARACTER_ERROR_RATE;
    case Measure::kWordErrorRate:
      return v1::MEASURE_WORD_ERROR_RATE;
    case Measure::kBleu:
      return v1::MEASURE_BLEU;
    case Measure::kCorrection:
      return v1::MEASURE_CORRECTION;
  }
  return v1::MEASURE_UNSPECIFIED;
}

v1::EndReason to_proto(EndReason reason) {
  switch (reason) {
    case EndReason::kAllEpochs:
      return v1::END_REASON_ALL_EPOCHS;
    case EndReason::kStopRequested:
      return v1::END_REASON_STOP_REQUESTED;
    case EndReason::kEarlyStop:
      return v1::END_REASON_EARLY_STOP;
    case EndReason::kStepLimit:
      return v1::END_REASON_STEP_LIMIT;
    case EndReason::kTimeLimit:
      return v1::END_REASON_TIME_LIMIT;
  }
  return v1::END_REASON_UNSPECIFIED;
}

void fill(const Scores& from, v1::Scores& to) {
  to.set_examples(from.examples);
  to.set_exact(from.exact);
  to.set_character_accuracy(from.character_accuracy);
  to.set_corrupted(from.corrupted);
  to.set_correction(from.correction);
  to.set_copy_exact(from.copy_exact);
  to.set_copy_character_accuracy(from.copy_character_accuracy);
  to.set_character_error_rate(from.character_error_rate);
  to.set_word_error_rate(from.word_error_rate);
  to.set_bleu(from.bleu);
  to.set_bleu_signature(from.bleu_signature);
}

void fill(const GpuGauges& from, v1::GpuGauges& to) {
  to.set_utilisation(from.utilisation);
  to.set_memory_bytes(from.memory_bytes);
  to.set_memory_total_bytes(from.memory_total_bytes);
  to.set_celsius(from.celsius);
  to.set_watts(from.watts);
}

// One overload for each alternative of Event: a new one does not compile until it is told here.
struct Filler {
  v1::WorkerEvent& out;

  void operator()(const RunStarted& from) const {
    v1::RunStarted* to = out.mutable_run_started();
    to->set_device(from.device);
    to->set_device_name(from.device_name);
    to->set_device_reason(from.device_reason);
    to->set_parameters(from.parameters);
    to->set_train_examples(from.train_examples);
    to->set_valid_examples(from.valid_examples);
    to->set_skipped_lines(from.skipped_lines);
    to->set_source_vocabulary(from.source_vocabulary);
    to->set_target_vocabulary(from.target_vocabulary);
    to->set_batches_per_epoch(from.batches_per_epoch);
    to->set_epochs(from.epochs);
    to->set_resumed_step(from.resumed_step);
    to->set_resumed_from(from.resumed_from);
    to->set_corpus_fingerprint(from.corpus_fingerprint);
    to->set_config(from.config);
    to->set_started_from(from.started_from);
  }

  void operator()(const Progress& from) const {
    v1::Progress* to = out.mutable_progress();
    to->set_step(from.step);
    to->set_epoch(from.epoch);
    to->set_batch(from.batch);
    to->set_batches(from.batches);
    to->set_loss(from.loss);
    to->set_examples_per_second(from.examples_per_second);
    to->set_tokens_per_second(from.tokens_per_second);
    to->set_trained_seconds(from.trained_seconds);
    to->set_seconds_left(from.seconds_left);
    to->set_phase(to_proto(from.phase));
    if (from.gpu.known()) fill(from.gpu, *to->mutable_gpu());
    to->set_trouble(one_line(from.trouble));
    to->set_save_still_seconds(from.save_still_seconds);
  }

  void operator()(const MetricRow& from) const {
    v1::MetricRow* to = out.mutable_metric_row();
    to->set_step(from.step);
    to->set_epoch(from.epoch);
    to->set_batch(from.batch);
    to->set_batches_per_epoch(from.batches_per_epoch);
    to->set_inputs(from.inputs);
    to->set_loss(from.loss);
    to->set_accuracy(from.accuracy);
    to->set_valid_loss(from.valid_loss);
    to->set_gradient_norm(from.gradient_norm);
    to->set_rate(from.rate);
    to->set_examples_per_second(from.examples_per_second);
    to->set_tokens_per_second(from.tokens_per_second);
    to->set_trained_seconds(from.trained_seconds);
    if (from.gpu.known()) fill(from.gpu, *to->mutable_gpu());
  }

  void operator()(const EpochDone& from) const {
    v1::EpochDone* to = out.mutable_epoch_done();
    to->set_epoch(from.epoch);
    to->set_epochs(from.epochs);
    to->set_step(from.step);
    to->set_train_loss(from.train_loss);
    to->set_valid_loss(from.valid_loss);
    to->set_best(from.best);
    to->set_rate(from.rate);
    to->set_digest(from.digest);
    to->set_epoch_seconds(from.epoch_seconds);
    to->set_trained_seconds(from.trained_seconds);
    to->set_examples_per_second(from.examples_per_second);
    to->set_tokens_per_second(from.tokens_per_second);
    to->set_measure(to_proto(from.measure));
    fill(from.scores, *to->mutable_scores());
    for (const Sample& sample : from.samples) {
      v1::Sample* shown = to->add_samples();
      shown->set_source(sample.source);
      shown->set_target(sample.target);
      shown->set_output(sample.output);
    }
  }

  void operator()(const CheckpointSaved& from) const {
    v1::CheckpointSaved* to = out.mutable_checkpoint_saved();
    to->set_file(from.file);
    to->set_step(from.step);
    to->set_epoch(from.epoch);
    to->set_bytes(from.bytes);
    to->set_digest(from.digest);
    to->set_best(from.best);
    to->set_stall_seconds(from.stall_seconds);
    to->set_write_seconds(from.write_seconds);
    to->set_reason(to_proto(from.reason));
  }

  void operator()(const CheckpointPruned& from) const {
    v1::CheckpointPruned* to = out.mutable_checkpoint_pruned();
    to->set_file(from.file);
  }

  void operator()(const CheckpointLoading& from) const {
    v1::CheckpointLoading* to = out.mutable_checkpoint_loading();
    to->set_file(from.file);
  }

  void operator()(const SettingChanged& from) const {
    v1::SettingChanged* to = out.mutable_setting_changed();
    to->set_key(from.key);
    to->set_was(from.was);
    to->set_is(from.is);
    to->set_step(from.step);
    to->set_epoch(from.epoch);
  }

  void operator()(const Notice& from) const {
    v1::Notice* to = out.mutable_notice();
    to->set_text(one_line(from.text));
    to->set_kind(name_of(from.kind));
  }

  void operator()(const RunEnded& from) const {
    v1::RunEnded* to = out.mutable_run_ended();
    to->set_step(from.step);
    to->set_epoch(from.epoch);
    to->set_digest(from.digest);
    to->set_trained_seconds(from.trained_seconds);
    to->set_reason(to_proto(from.reason));
  }

  void operator()(const RunFailed& from) const {
    v1::RunFailed* to = out.mutable_run_failed();
    to->set_message(one_line(from.message));
    to->set_kind(name_of(from.kind));
  }
};

}  // namespace

v1::WorkerEvent to_proto(const Event& event) {
  v1::WorkerEvent message;
  std::visit(Filler{message}, event);
  return message;
}

}  // namespace traind
