#include "model/train/train_state.h"

#include <array>
#include <limits>

#include "model/base/error.h"
#include "model/train/record_text.h"
#include "model/train/run_file.h"
#include "model/train/run_file_words.h"
#include "model/train/settings_change.h"

namespace traind {
namespace {

constexpr const char* kProgress = "traind.progress";
constexpr const char* kResults = "traind.results";
constexpr const char* kRows = "traind.unstored_rows";
constexpr const char* kEpochs = "traind.unstored_epochs";
constexpr const char* kRun = "traind.run";
constexpr const char* kSettings = "traind.settings";
constexpr const char* kCorpus = "traind.corpus_fingerprint";
constexpr const char* kSource = "traind.source_vocabulary";
constexpr const char* kTarget = "traind.target_vocabulary";
constexpr const char* kConfig = "traind.config";
constexpr const char* kStartedFrom = "traind.started_from";

// The run file's limit on epochs, and the one that is never trained.
constexpr int kMostEpochs = 1'000'001;

// What counts something.
std::int64_t count_from(RecordReader& in) {
  return in.integer(0, std::numeric_limits<std::int64_t>::max());
}
int small_count_from(RecordReader& in, int least = 0, int most = std::numeric_limits<int>::max()) {
  return static_cast<int>(in.integer(least, most));
}

const std::string& value_of(const Metadata& metadata, const char* key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    throw Error(ErrorKind::kCorrupt, std::string("the checkpoint says nothing about ") + key +
                                         ": it was not written by a training run of traind");
  }
  return found->second;
}

// The one line of a value that has one.
std::string line_of(const Metadata& metadata, const char* key) {
  const std::vector<std::string> lines = lines_of_text(value_of(metadata, key));
  if (lines.size() == 1) return lines[0];
  throw Error(ErrorKind::kCorrupt, std::string("the checkpoint's ") + key + " is not one line");
}

void expect_end(const RecordReader& in, const char* key) {
  if (in.at_end()) return;
  throw Error(ErrorKind::kCorrupt, std::string("the checkpoint's ") + key + " says too much");
}

// -1 = there is none yet.
std::int64_t best_step_from(RecordReader& in) {
  return in.integer(-1, std::numeric_limits<std::int64_t>::max());
}

std::string progress_line(const TrainState& state) {
  RecordWriter out;
  out.add(state.step).add(state.batches).add(std::int64_t{state.epoch}).add(state.batch);
  out.add(std::int64_t{state.batch_size.examples}).add(std::int64_t{state.batch_size.tokens});
  out.add(state.inputs).add(state.epoch_loss).add(state.epoch_tokens).add(state.epoch_seconds);
  out.add(state.trained_seconds).add(state.row.loss).add(state.row.tokens).add(state.row.correct);
  out.add(state.row.gradient_norm).add(state.row.steps);
  out.add(state.best_step).add(state.cut_short);
  return out.line();
}

void read_progress(const Metadata& metadata, TrainState& state) {
  RecordReader in(line_of(metadata, kProgress));
  state.step = count_from(in);
  state.batches = count_from(in);
  state.epoch = small_count_from(in, 1, kMostEpochs);
  state.batch = count_from(in);
  state.batch_size.examples = small_count_from(in);
  state.batch_size.tokens = small_count_from(in);
  state.inputs = count_from(in);
  state.epoch_loss = in.number();
  state.epoch_tokens = count_from(in);
  state.epoch_seconds = in.number();
  state.trained_seconds = in.number();
  state.row.loss = in.number();
  state.row.tokens = count_from(in);
  state.row.correct = count_from(in);
  state.row.gradient_norm = in.number();
  state.row.steps = count_from(in);
  state.best_step = best_step_from(in);
  state.cut_short = in.boolean();
  expect_end(in, kProgress);
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
  row.step = count_from(in);
  row.epoch = small_count_from(in, 0, kMostEpochs);
  row.batch = count_from(in);
  row.batches_per_epoch = count_from(in);
  row.inputs = count_from(in);
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
  expect_end(in, kRows);
  return row;
}

// The numbers of an epoch in the order of its record: the same list writes and reads.
template <typename Epoch>
auto numbers_of(Epoch& epoch) {
  auto& scores = epoch.scores;
  return std::array{&epoch.train_loss,
                    &epoch.valid_loss,
                    &epoch.rate,
                    &epoch.epoch_seconds,
                    &epoch.trained_seconds,
                    &epoch.examples_per_second,
                    &epoch.tokens_per_second,
                    &scores.exact,
                    &scores.character_accuracy,
                    &scores.correction,
                    &scores.copy_exact,
                    &scores.copy_character_accuracy,
                    &scores.character_error_rate,
                    &scores.word_error_rate,
                    &scores.bleu};
}

void read_samples(RecordReader& in, EpochDone& epoch) {
  while (!in.at_end()) {
    Sample sample;
    sample.source = in.text();
    sample.target = in.text();
    sample.output = in.text();
    epoch.samples.push_back(sample);
  }
}

std::string epoch_line(const EpochDone& epoch) {
  RecordWriter out;
  out.add(std::int64_t{epoch.epoch}).add(std::int64_t{epoch.epochs}).add(epoch.step);
  for (const double* number : numbers_of(epoch)) out.add(*number);
  out.add(epoch.scores.examples).add(epoch.scores.corrupted).add(epoch.scores.bleu_signature);
  out.add(epoch.best).add(std::string(word_of(kMeasureWords, epoch.measure))).add(epoch.digest);
  for (const Sample& sample : epoch.samples) {
    out.add(sample.source).add(sample.target).add(sample.output);
  }
  return out.line();
}

EpochDone epoch_from(const std::string& line) {
  RecordReader in(line);
  EpochDone epoch;
  epoch.epoch = small_count_from(in, 0, kMostEpochs);
  epoch.epochs = small_count_from(in, 0, kMostEpochs);
  epoch.step = count_from(in);
  for (double* number : numbers_of(epoch)) *number = in.number();
  epoch.scores.examples = count_from(in);
  epoch.scores.corrupted = count_from(in);
  epoch.scores.bleu_signature = in.text();
  epoch.best = in.boolean();
  const std::string measure = in.text();
  epoch.measure = choice_of_word(kMeasureWords, measure);
  if (measure != word_of(kMeasureWords, epoch.measure)) {
    throw Error(ErrorKind::kCorrupt, "the checkpoint follows an unknown measure: " + measure);
  }
  epoch.digest = in.text();
  read_samples(in, epoch);
  return epoch;
}

// Checkpoints were once written without the results of all epochs: with the best one alone, and
// less said of progress and epochs. Such a run had one batch an update, a constant rate and no
// early stop, and followed the loss.
bool is_first_form(const Metadata& metadata) {
  return !metadata.contains(kResults) && !metadata.contains(kStartedFrom);
}

void read_first_progress(const Metadata& metadata, TrainState& state) {
  RecordReader in(line_of(metadata, kProgress));
  state.step = count_from(in);
  state.batches = state.step;
  state.epoch = small_count_from(in, 1, kMostEpochs);
  state.batch = count_from(in);
  state.inputs = count_from(in);
  state.epoch_loss = in.number();
  state.epoch_tokens = count_from(in);
  state.epoch_seconds = in.number();
  state.trained_seconds = in.number();
  state.row.loss = in.number();
  state.row.tokens = count_from(in);
  state.row.correct = count_from(in);
  state.row.gradient_norm = in.number();
  state.row.steps = count_from(in);
  // Which of them was the best does not matter to such a run, only how good it was.
  state.results.assign(static_cast<std::size_t>(state.epoch) - 1, in.number());
  state.best_step = best_step_from(in);
  expect_end(in, kProgress);
}

EpochDone first_epoch_from(const std::string& line) {
  RecordReader in(line);
  EpochDone epoch;
  epoch.epoch = small_count_from(in, 0, kMostEpochs);
  epoch.epochs = small_count_from(in, 0, kMostEpochs);
  epoch.step = count_from(in);
  epoch.train_loss = in.number();
  epoch.valid_loss = in.number();
  epoch.scores.examples = count_from(in);
  epoch.scores.exact = in.number();
  epoch.scores.character_accuracy = in.number();
  epoch.scores.corrupted = count_from(in);
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
  read_samples(in, epoch);
  return epoch;
}

// What the settings do not say was not there to be chosen, and was as it is by default.
void complete_first_settings(std::vector<std::string>& settings) {
  for (const std::string& line : identity_of(RunFile())) {
    const std::string key = line.substr(0, line.find(" = "));
    if (setting_of(settings, key).empty()) settings.push_back(line);
  }
}

}  // namespace

void encode_state(const TrainState& state, const RunIdentity& identity, Metadata& metadata) {
  metadata[kProgress] = progress_line(state);
  RecordWriter results;
  for (const double result : state.results) results.add(result);
  metadata[kResults] = state.results.empty() ? "" : results.line();
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
  metadata[kStartedFrom] = identity.started_from;
}

TrainState decode_state(const Metadata& metadata) {
  TrainState state;
  const bool first_form = is_first_form(metadata);
  if (first_form) {
    read_first_progress(metadata, state);
    const std::string size =
        setting_of(lines_of_text(value_of(metadata, kSettings)), "train.batch_size");
    RecordReader in(size);
    state.batch_size.examples = small_count_from(in);
  } else {
    read_progress(metadata, state);
    for (const std::string& line : lines_of_text(value_of(metadata, kResults))) {
      RecordReader in(line);
      while (!in.at_end()) state.results.push_back(in.number());
    }
  }
  if (state.batch > 0 && state.batch_size.examples == 0 && state.batch_size.tokens == 0) {
    throw Error(ErrorKind::kCorrupt, "the checkpoint is in the midst of an epoch of empty batches");
  }
  for (const std::string& row : lines_of_text(value_of(metadata, kRows))) {
    state.rows.push_back(row_from(row));
  }
  for (const std::string& epoch : lines_of_text(value_of(metadata, kEpochs))) {
    state.epochs.push_back(first_form ? first_epoch_from(epoch) : epoch_from(epoch));
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
  if (is_first_form(metadata)) {
    complete_first_settings(identity.settings);
  } else {
    identity.started_from = value_of(metadata, kStartedFrom);
  }
  return identity;
}

}  // namespace traind
