#include "daemon/messages.h"

namespace traind {
namespace {

void fill(const GpuGauges& gpu, v1::GpuGauges& message) {
  message.set_utilisation(gpu.utilisation);
  message.set_memory_bytes(gpu.memory_bytes);
  message.set_memory_total_bytes(gpu.memory_total_bytes);
  message.set_celsius(gpu.celsius);
  message.set_watts(gpu.watts);
}

}  // namespace

v1::Scores to_message(const Scores& scores) {
  v1::Scores message;
  message.set_examples(scores.examples);
  message.set_exact(scores.exact);
  message.set_character_accuracy(scores.character_accuracy);
  message.set_corrupted(scores.corrupted);
  message.set_correction(scores.correction);
  message.set_copy_exact(scores.copy_exact);
  message.set_copy_character_accuracy(scores.copy_character_accuracy);
  message.set_character_error_rate(scores.character_error_rate);
  message.set_word_error_rate(scores.word_error_rate);
  message.set_bleu(scores.bleu);
  message.set_bleu_signature(scores.bleu_signature);
  return message;
}

v1::Measure to_message(Measure measure) {
  return static_cast<v1::Measure>(static_cast<int>(measure) + 1);
}

v1::EndReason to_message(EndReason reason) {
  return static_cast<v1::EndReason>(static_cast<int>(reason) + 1);
}

v1::RunStarted to_message(const RunStarted& started) {
  v1::RunStarted message;
  message.set_device(started.device);
  message.set_device_name(started.device_name);
  message.set_device_reason(started.device_reason);
  message.set_parameters(started.parameters);
  message.set_train_examples(started.train_examples);
  message.set_valid_examples(started.valid_examples);
  message.set_skipped_lines(started.skipped_lines);
  message.set_source_vocabulary(started.source_vocabulary);
  message.set_target_vocabulary(started.target_vocabulary);
  message.set_batches_per_epoch(started.batches_per_epoch);
  message.set_epochs(started.epochs);
  message.set_resumed_step(started.resumed_step);
  message.set_resumed_from(started.resumed_from);
  message.set_corpus_fingerprint(started.corpus_fingerprint);
  message.set_config(started.config);
  message.set_started_from(started.started_from);
  return message;
}

v1::Progress to_message(const Progress& progress) {
  v1::Progress message;
  message.set_phase(static_cast<v1::Phase>(static_cast<int>(progress.phase) + 1));
  message.set_step(progress.step);
  message.set_epoch(progress.epoch);
  message.set_batch(progress.batch);
  message.set_batches(progress.batches);
  message.set_loss(progress.loss);
  message.set_examples_per_second(progress.examples_per_second);
  message.set_tokens_per_second(progress.tokens_per_second);
  message.set_trained_seconds(progress.trained_seconds);
  message.set_seconds_left(progress.seconds_left);
  if (progress.gpu.known()) fill(progress.gpu, *message.mutable_gpu());
  message.set_trouble(progress.trouble);
  return message;
}

v1::MetricRow to_message(const MetricRow& row) {
  v1::MetricRow message;
  message.set_step(row.step);
  message.set_epoch(row.epoch);
  message.set_batch(row.batch);
  message.set_batches_per_epoch(row.batches_per_epoch);
  message.set_inputs(row.inputs);
  message.set_loss(row.loss);
  message.set_accuracy(row.accuracy);
  message.set_valid_loss(row.valid_loss);
  message.set_gradient_norm(row.gradient_norm);
  message.set_rate(row.rate);
  message.set_examples_per_second(row.examples_per_second);
  message.set_tokens_per_second(row.tokens_per_second);
  message.set_trained_seconds(row.trained_seconds);
  if (row.gpu.known()) fill(row.gpu, *message.mutable_gpu());
  return message;
}

v1::EpochDone to_message(const EpochDone& epoch) {
  v1::EpochDone message;
  message.set_epoch(epoch.epoch);
  message.set_epochs(epoch.epochs);
  message.set_step(epoch.step);
  message.set_train_loss(epoch.train_loss);
  message.set_valid_loss(epoch.valid_loss);
  *message.mutable_scores() = to_message(epoch.scores);
  for (const Sample& sample : epoch.samples) {
    v1::Sample& shown = *message.add_samples();
    shown.set_source(sample.source);
    shown.set_target(sample.target);
    shown.set_output(sample.output);
  }
  message.set_best(epoch.best);
  message.set_rate(epoch.rate);
  message.set_digest(epoch.digest);
  message.set_epoch_seconds(epoch.epoch_seconds);
  message.set_trained_seconds(epoch.trained_seconds);
  message.set_examples_per_second(epoch.examples_per_second);
  message.set_tokens_per_second(epoch.tokens_per_second);
  message.set_measure(to_message(epoch.measure));
  return message;
}

v1::CheckpointSaved to_message(const CheckpointSaved& checkpoint) {
  v1::CheckpointSaved message;
  message.set_file(checkpoint.file);
  message.set_step(checkpoint.step);
  message.set_epoch(checkpoint.epoch);
  message.set_reason(static_cast<v1::CheckpointReason>(static_cast<int>(checkpoint.reason) + 1));
  message.set_bytes(checkpoint.bytes);
  message.set_digest(checkpoint.digest);
  message.set_best(checkpoint.best);
  message.set_stall_seconds(checkpoint.stall_seconds);
  message.set_write_seconds(checkpoint.write_seconds);
  return message;
}

v1::SettingChanged to_message(const SettingChanged& change) {
  v1::SettingChanged message;
  message.set_key(change.key);
  message.set_was(change.was);
  message.set_is(change.is);
  message.set_step(change.step);
  message.set_epoch(change.epoch);
  return message;
}

v1::Notice to_message(const Notice& notice) {
  v1::Notice message;
  message.set_kind(name_of(notice.kind));
  message.set_text(notice.text);
  return message;
}

}  // namespace traind
