#include "model/train/train_state.h"

#include "model/base/error.h"
#include "model/train/record_text.h"

namespace traind {
namespace {

constexpr const char* kProgress = "traind.progress";
constexpr const char* kRows = "traind.unstored_rows";
constexpr const char* kEpochs = "traind.unstored_epochs";
constexpr const char* kRun = "traind.run";
constexpr const char* kSettings = "traind.settings";
constexpr const char* kCorpus = "traind.corpus_fingerprint";
constexpr const char* kSource = "traind.source_vocabulary";
constexpr const char* kTarget = "traind.target_vocabulary";
constexpr const char* kConfig = "traind.config";

const std::string& value_of(const Metadata& metadata, const char* key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    throw Error(ErrorKind::kCorrupt, std::string("the checkpoint says nothing about ") + key +
                                         ": it was not written by a training run of traind");
  }
  return found->second;
}

std::string progress_line(const TrainState& state) {
  RecordWriter out;
  out.add(state.step).add(std::int64_t{state.epoch}).add(state.batch).add(state.inputs);
  out.add(state.epoch_loss).add(state.epoch_tokens).add(state.epoch_seconds);
  out.add(state.trained_seconds).add(state.row.loss).add(state.row.tokens).add(state.row.correct);
  out.add(state.row.gradient_norm).add(state.row.steps);
  out.add(state.best_valid_loss).add(state.best_step);
  return out.line();
}

std::string row_line(const MetricRow& row) {
  RecordWriter out;
  out.add(row.step).add(std::int64_t{row.epoch}).add(row.batch).add(row.batches_per_epoch);
  out.add(row.inputs).add(row.loss).add(row.accuracy).add(row.valid_loss);
  out.add(row.gradient_norm).add(row.rate).add(row.examples_per_second);
  out.add(row.tokens_per_second).add(row.trained_seconds);
  out.add(row.gpu.utilisation).add(row.gpu.memory_bytes).add(row.gpu.memory_total_bytes);
  out.add(row.gpu.celsius).add(row.gpu.watts);
  return out.line();
}

MetricRow row_from(const std::string& line) {
  RecordReader in(line);
  MetricRow row;
  row.step = in.integer();
  row.epoch = static_cast<int>(in.integer());
  row.batch = in.integer();
  row.batches_per_epoch = in.integer();
  row.inputs = in.integer();
  row.loss = in.number();
  row.accuracy = in.number();
  row.valid_loss = in.number();
  row.gradient_norm = in.number();
  row.rate = in.number();
  row.examples_per_second = in.number();
  row.tokens_per_second = in.number();
  row.trained_seconds = in.number();
  row.gpu.utilisation = in.number();
  row.gpu.memory_bytes = in.number();
  row.gpu.memory_total_bytes = in.number();
  row.gpu.celsius = in.number();
  row.gpu.watts = in.number();
  return row;
}

std::string epoch_line(const EpochDone& epoch) {
  RecordWriter out;
  out.add(std::int64_t{epoch.epoch}).add(std::int64_t{epoch.epochs}).add(epoch.step);
  out.add(epoch.train_loss).add(epoch.valid_loss);
  const Scores& scores = epoch.scores;
  out.add(scores.examples).add(scores.exact).add(scores.character_accuracy).add(scores.corrupted);
  out.add(scores.correction).add(scores.copy_exact).add(scores.copy_character_accuracy);
  out.add(epoch.best).add(epoch.rate).add(epoch.digest).add(epoch.epoch_seconds);
  out.add(epoch.trained_seconds).add(epoch.examples_per_second).add(epoch.tokens_per_second);
  for (const Sample& sample : epoch.samples) {
    out.add(sample.source).add(sample.target).add(sample.output);
  }
  return out.line();
}

EpochDone epoch_from(const std::string& line) {
  RecordReader in(line);
  EpochDone epoch;
  epoch.epoch = static_cast<int>(in.integer());
  epoch.epochs = static_cast<int>(in.integer());
  epoch.step = in.integer();
  epoch.train_loss = in.number();
  epoch.valid_loss = in.number();
  epoch.scores.examples = in.integer();
  epoch.scores.exact = in.number();
  epoch.scores.character_accuracy = in.number();
  epoch.scores.corrupted = in.integer();
  epoch.scores.correction = in.number();
  epoch.scores.copy_exact = in.number();
  epoch.scores.copy_character_accuracy = in.number();
  epoch.best = in.boolean();
  epoch.rate = in.number();
  epoch.digest = in.text();
  epoch.epoch_seconds = in.number();
  epoch.trained_seconds = in.number();
  epoch.examples_per_second = in.number();
  epoch.tokens_per_second = in.number();
  while (!in.at_end()) {
    Sample sample;
    sample.source = in.text();
    sample.target = in.text();
    sample.output = in.text();
    epoch.samples.push_back(sample);
  }
  return epoch;
}

}  // namespace

void encode_state(const TrainState& state, const RunIdentity& identity, Metadata& metadata) {
  metadata[kProgress] = progress_line(state);
  std::string rows;
  for (const MetricRow& row : state.rows) rows += row_line(row);
  metadata[kRows] = rows;
  std::string epochs;
  for (const EpochDone& epoch : state.epochs) epochs += epoch_line(epoch);
  metadata[kEpochs] = epochs;
  metadata[kRun] = identity.run;
  std::string settings;
  for (const std::string& line : identity.settings) settings += line + "\n";
  metadata[kSettings] = settings;
  metadata[kCorpus] = identity.corpus_fingerprint;
  metadata[kSource] = identity.source_vocabulary;
  metadata[kTarget] = identity.target_vocabulary;
  metadata[kConfig] = identity.config;
}

TrainState decode_state(const Metadata& metadata) {
  std::string line = value_of(metadata, kProgress);
  if (!line.empty() && line.back() == '\n') line.pop_back();
  RecordReader in(line);
  TrainState state;
  state.step = in.integer();
  state.epoch = static_cast<int>(in.integer());
  state.batch = in.integer();
  state.inputs = in.integer();
  state.epoch_loss = in.number();
  state.epoch_tokens = in.integer();
  state.epoch_seconds = in.number();
  state.trained_seconds = in.number();
  state.row.loss = in.number();
  state.row.tokens = in.integer();
  state.row.correct = in.integer();
  state.row.gradient_norm = in.number();
  state.row.steps = in.integer();
  state.best_valid_loss = in.number();
  state.best_step = in.integer();
  for (const std::string& row : lines_of_text(value_of(metadata, kRows))) {
    state.rows.push_back(row_from(row));
  }
  for (const std::string& epoch : lines_of_text(value_of(metadata, kEpochs))) {
    state.epochs.push_back(epoch_from(epoch));
  }
  return state;
}

RunIdentity decode_identity(const Metadata& metadata) {
  RunIdentity identity;
  identity.run = value_of(metadata, kRun);
  identity.settings = lines_of_text(value_of(metadata, kSettings));
  identity.corpus_fingerprint = value_of(metadata, kCorpus);
  identity.source_vocabulary = value_of(metadata, kSource);
  identity.target_vocabulary = value_of(metadata, kTarget);
  identity.config = value_of(metadata, kConfig);
  return identity;
}

}  // namespace traind
