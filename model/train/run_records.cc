#include "model/train/run_records.h"

#include <vector>

#include "model/train/measure.h"

namespace traind {
namespace {

double mean(double sum, std::int64_t count) {
  return count == 0 ? 0.0 : sum / static_cast<double>(count);
}

}  // namespace

RunStarted started_record(const Preparation& ready, std::int64_t batches) {
  const DeviceInfo& device = ready.model->device();
  const CorpusReport& corpus = ready.corpus->report();
  RunStarted started;
  started.device = device.kind;
  started.device_name = device.name;
  started.device_reason = ready.device.reason;
  started.parameters = ready.model->parameter_count();
  started.train_examples = corpus.train_examples;
  started.valid_examples = corpus.valid_examples;
  started.skipped_lines = corpus.skipped_lines;
  const BatchEncoding encoding = ready.encoding();
  started.source_vocabulary = encoding.source == nullptr ? 0 : encoding.source->size();
  started.target_vocabulary = encoding.target->size();
  started.batches_per_epoch = batches;
  started.epochs = ready.run.train.epochs;
  started.resumed_step = ready.resumed_step;
  started.resumed_from = ready.resumed_from;
  started.corpus_fingerprint = ready.identity.corpus_fingerprint;
  started.config = ready.identity.config;
  started.started_from = ready.identity.started_from;
  return started;
}

CheckpointSaved resumed_record(const Preparation& ready) {
  const TrainState& state = ready.state;
  const bool between_epochs = state.batch == 0 && state.epoch > 1;
  CheckpointSaved saved;
  saved.file = ready.resumed_from;
  saved.step = ready.resumed_step;
  saved.epoch = between_epochs ? state.epoch - 1 : state.epoch;
  saved.reason = between_epochs ? CheckpointReason::kEpoch : CheckpointReason::kInterval;
  saved.bytes = ready.resumed_bytes;
  saved.digest = ready.resumed_digest;
  saved.best = ready.resumed_step == state.best_step;
  return saved;
}

MetricRow row_record(const TrainState& state, std::int64_t batches, double valid_loss, double rate,
                     const Pace& pace) {
  MetricRow row;
  row.step = state.step;
  row.epoch = state.epoch;
  row.batch = state.batch;
  row.batches_per_epoch = batches;
  row.inputs = state.inputs;
  row.loss = mean(state.row.loss, state.row.tokens);
  row.accuracy = mean(static_cast<double>(state.row.correct), state.row.tokens);
  row.valid_loss = valid_loss;
  row.gradient_norm = mean(state.row.gradient_norm, state.row.steps);
  row.rate = rate;
  row.examples_per_second = pace.examples_per_second();
  row.tokens_per_second = pace.tokens_per_second();
  row.trained_seconds = pace.trained_seconds(Pace::Clock::now());
  return row;
}

EpochDone epoch_record(const RunFile& run, const TrainState& state, const Validation& validation,
                       double rate, const Pace& pace) {
  EpochDone epoch;
  epoch.epoch = state.epoch;
  epoch.epochs = run.train.epochs;
  epoch.step = state.step;
  epoch.train_loss = mean(state.epoch_loss, state.epoch_tokens);
  epoch.valid_loss = validation.loss;
  epoch.scores = validation.scores;
  epoch.samples = validation.samples;
  epoch.measure = run.train.best;
  std::vector<double> results = state.results;
  results.push_back(value_of(epoch.measure, epoch.valid_loss, epoch.scores));
  epoch.best = epochs_without_better(epoch.measure, results) == 0;
  epoch.rate = rate;
  epoch.trained_seconds = pace.trained_seconds(Pace::Clock::now());
  epoch.examples_per_second = pace.examples_per_second();
  epoch.tokens_per_second = pace.tokens_per_second();
  return epoch;
}

}  // namespace traind
