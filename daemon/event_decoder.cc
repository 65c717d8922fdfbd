// The untrusted direction of messages.h: bytes of a worker to an event.
#include <algorithm>

#include "daemon/messages.h"

namespace traind {
namespace {

constexpr std::size_t kLongestText = 16384;  // of a notice or a failure
constexpr std::size_t kLongestName = 255;
constexpr int kMostEpochs = 1'000'000'000;
constexpr int kMostSamples = 1000;

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorKind::kCorrupt, what); }

void require(bool true_of_it, const char* what) {
  if (!true_of_it) refuse(what);
}

void require_position(std::int64_t step, std::int64_t epoch) {
  require(step >= 0, "a step below zero");
  require(epoch >= 0 && epoch <= kMostEpochs, "an epoch that cannot be");
}

// A name in the run's checkpoint folder and never a way out of it.
void require_file_name(const std::string& name) {
  require(!name.empty() && name.size() <= kLongestName && name[0] != '.' &&
              std::all_of(name.begin(), name.end(),
                          [](char c) { return c > ' ' && c < 127 && c != '/'; }),
          "a checkpoint's name that is no file name");
}

// Cut at a whole character.
std::string bounded(const std::string& text) {
  if (text.size() <= kLongestText) return text;
  std::size_t end = kLongestText;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + " ...";
}

RunStarted decode(const v1::RunStarted& message) {
  RunStarted started;
  started.device = message.device();
  started.device_name = message.device_name();
  started.device_reason = message.device_reason();
  started.parameters = message.parameters();
  started.train_examples = message.train_examples();
  started.valid_examples = message.valid_examples();
  started.skipped_lines = message.skipped_lines();
  started.source_vocabulary = message.source_vocabulary();
  started.target_vocabulary = message.target_vocabulary();
  started.batches_per_epoch = message.batches_per_epoch();
  started.epochs = message.epochs();
  started.resumed_step = message.resumed_step();
  started.resumed_from = message.resumed_from();
  started.corpus_fingerprint = message.corpus_fingerprint();
  started.config = message.config();
  started.started_from = bounded(message.started_from());
  require_position(std::max<std::int64_t>(0, started.resumed_step), started.epochs);
  if (!started.resumed_from.empty()) require_file_name(started.resumed_from);
  return started;
}

GpuGauges decode(const v1::GpuGauges& message) {
  GpuGauges gpu;
  gpu.utilisation = message.utilisation();
  gpu.memory_bytes = message.memory_bytes();
  gpu.memory_total_bytes = message.memory_total_bytes();
  gpu.celsius = message.celsius();
  gpu.watts = message.watts();
  return gpu;
}

Progress decode(const v1::Progress& message) {
  Progress progress;
  require(message.phase() >= v1::PHASE_STARTING && message.phase() <= v1::PHASE_SAVING,
          "a phase that does not exist");
  progress.phase = static_cast<Phase>(static_cast<int>(message.phase()) - 1);
  progress.step = message.step();
  progress.epoch = message.epoch();
  progress.batch = message.batch();
  progress.batches = message.batches();
  progress.loss = message.loss();
  progress.examples_per_second = message.examples_per_second();
  progress.tokens_per_second = message.tokens_per_second();
  progress.trained_seconds = message.trained_seconds();
  progress.seconds_left = message.seconds_left();
  if (message.has_gpu()) progress.gpu = decode(message.gpu());
  progress.trouble = bounded(message.trouble());
  progress.save_still_seconds = message.save_still_seconds();
  require_position(progress.step, progress.epoch);
  return progress;
}

MetricRow decode(const v1::MetricRow& message) {
  MetricRow row;
  row.step = message.step();
  row.epoch = message.epoch();
  row.batch = message.batch();
  row.batches_per_epoch = message.batches_per_epoch();
  row.inputs = message.inputs();
  row.loss = message.loss();
  row.accuracy = message.accuracy();
  row.valid_loss = message.valid_loss();
  row.gradient_norm = message.gradient_norm();
  row.rate = message.rate();
  row.examples_per_second = message.examples_per_second();
  row.tokens_per_second = message.tokens_per_second();
  row.trained_seconds = message.trained_seconds();
  if (message.has_gpu()) row.gpu = decode(message.gpu());
  require_position(row.step, row.epoch);
  return row;
}

Scores decode(const v1::Scores& message) {
  Scores scores;
  scores.examples = message.examples();
  scores.exact = message.exact();
  scores.character_accuracy = message.character_accuracy();
  scores.corrupted = message.corrupted();
  scores.correction = message.correction();
  scores.copy_exact = message.copy_exact();
  scores.copy_character_accuracy = message.copy_character_accuracy();
  scores.character_error_rate = message.character_error_rate();
  scores.word_error_rate = message.word_error_rate();
  scores.bleu = message.bleu();
  scores.bleu_signature = bounded(message.bleu_signature());
  return scores;
}

EpochDone decode(const v1::EpochDone& message) {
  EpochDone epoch;
  require(message.measure() >= v1::MEASURE_LOSS && message.measure() <= v1::MEASURE_CORRECTION,
          "a measure that does not exist");
  epoch.epoch = message.epoch();
  epoch.epochs = message.epochs();
  epoch.step = message.step();
  epoch.train_loss = message.train_loss();
  epoch.valid_loss = message.valid_loss();
  epoch.scores = decode(message.scores());
  require(message.samples_size() <= kMostSamples, "more samples than are ever shown");
  for (const v1::Sample& sample : message.samples()) {
    epoch.samples.push_back(
        {bounded(sample.source()), bounded(sample.target()), bounded(sample.output())});
  }
  epoch.best = message.best();
  epoch.rate = message.rate();
  epoch.digest = message.digest();
  epoch.epoch_seconds = message.epoch_seconds();
  epoch.trained_seconds = message.trained_seconds();
  epoch.examples_per_second = message.examples_per_second();
  epoch.tokens_per_second = message.tokens_per_second();
  epoch.measure = static_cast<Measure>(static_cast<int>(message.measure()) - 1);
  require_position(epoch.step, epoch.epoch);
  return epoch;
}

CheckpointSaved decode(const v1::CheckpointSaved& message) {
  CheckpointSaved checkpoint;
  require(message.reason() >= v1::CHECKPOINT_REASON_INTERVAL &&
              message.reason() <= v1::CHECKPOINT_REASON_REQUEST,
          "a checkpoint for a reason that does not exist");
  checkpoint.file = message.file();
  checkpoint.step = message.step();
  checkpoint.epoch = message.epoch();
  checkpoint.reason = static_cast<CheckpointReason>(static_cast<int>(message.reason()) - 1);
  checkpoint.bytes = message.bytes();
  checkpoint.digest = message.digest();
  checkpoint.best = message.best();
  checkpoint.stall_seconds = message.stall_seconds();
  checkpoint.write_seconds = message.write_seconds();
  require_file_name(checkpoint.file);
  require_position(checkpoint.step, checkpoint.epoch);
  return checkpoint;
}

SettingChanged decode(const v1::SettingChanged& message) {
  SettingChanged change;
  require(!message.key().empty(), "a setting without a name");
  change.key = bounded(message.key());
  change.was = bounded(message.was());
  change.is = bounded(message.is());
  change.step = message.step();
  change.epoch = message.epoch();
  require_position(change.step, change.epoch);
  return change;
}

RunEnded decode(const v1::RunEnded& message) {
  require(message.reason() >= v1::END_REASON_ALL_EPOCHS &&
              message.reason() <= v1::END_REASON_TIME_LIMIT,
          "an end for a reason that does not exist");
  RunEnded ended;
  ended.reason = static_cast<EndReason>(static_cast<int>(message.reason()) - 1);
  ended.step = message.step();
  ended.epoch = message.epoch();
  ended.digest = message.digest();
  ended.trained_seconds = message.trained_seconds();
  require_position(ended.step, ended.epoch);
  return ended;
}

}  // namespace

Event decode_event(const std::string& bytes) {
  v1::WorkerEvent message;
  if (!message.ParseFromString(bytes)) refuse("a message that is no event");
  switch (message.event_case()) {
    case v1::WorkerEvent::kRunStarted:
      return decode(message.run_started());
    case v1::WorkerEvent::kProgress:
      return decode(message.progress());
    case v1::WorkerEvent::kMetricRow:
      return decode(message.metric_row());
    case v1::WorkerEvent::kEpochDone:
      return decode(message.epoch_done());
    case v1::WorkerEvent::kCheckpointSaved:
      return decode(message.checkpoint_saved());
    case v1::WorkerEvent::kCheckpointPruned:
      require_file_name(message.checkpoint_pruned().file());
      return CheckpointPruned{message.checkpoint_pruned().file()};
    case v1::WorkerEvent::kCheckpointLoading:
      require_file_name(message.checkpoint_loading().file());
      return CheckpointLoading{message.checkpoint_loading().file()};
    case v1::WorkerEvent::kSettingChanged:
      return decode(message.setting_changed());
    case v1::WorkerEvent::kNotice:
      return Notice{error_kind_from_name(message.notice().kind()),
                    bounded(message.notice().text())};
    case v1::WorkerEvent::kRunEnded:
      return decode(message.run_ended());
    case v1::WorkerEvent::kRunFailed:
      return RunFailed{error_kind_from_name(message.run_failed().kind()),
                       bounded(message.run_failed().message())};
    case v1::WorkerEvent::EVENT_NOT_SET:
      break;
  }
  refuse("an event of a kind that this traind does not know");
}

}  // namespace traind
