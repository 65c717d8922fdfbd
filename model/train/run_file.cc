#include "model/train/run_file.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "model/base/error.h"
#include "model/base/quoting.h"
#include "model/train/run_file_words.h"

namespace traind {
namespace {

// Shortest decimal that reads back as the same number; always with a point or exponent.
std::string number(double value) {
  for (int digits = 6; digits <= 17; ++digits) {
    std::array<char, 32> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%.*g", digits, value);
    // Not std::stod(), which takes a number below 1e-307 for an error.
    if (std::strtod(buffer.data(), nullptr) != value) continue;
    const std::string text = buffer.data();
    return text + (text.find_first_of(".e") == std::string::npos ? ".0" : "");
  }
  throw Error(ErrorKind::kInternal, "a number of the run file cannot be written");
}

// One value of the file: where it stands, how it reads, whether it decides what is learnt.
struct Line {
  std::string table;
  std::string key;
  std::string value;
  bool identity;
};

// Collects the lines of one table.
class TableLines {
 public:
  TableLines(const char* table, std::vector<Line>& lines) : table_(table), lines_(lines) {}

  // What decides what is learnt or told.
  void add(const char* key, const std::string& value) { push(key, value, true); }
  void add(const char* key, const char* value) = delete;  // it would be taken for a bool
  void add(const char* key, double value) { push(key, number(value), true); }
  void add(const char* key, std::int64_t value) { push(key, std::to_string(value), true); }
  void add(const char* key, int value) { push(key, std::to_string(value), true); }
  void add(const char* key, bool value) { push(key, value ? "true" : "false", true); }
  template <typename Choice, std::size_t kCount>
  void add(const char* key, const std::array<Word<Choice>, kCount>& words, Choice choice) {
    push(key, toml_quoted(word_of(words, choice)), true);
  }
  // What decides nothing, as it is written.
  void add_free(const char* key, const std::string& value) { push(key, value, false); }

 private:
  void push(const char* key, const std::string& value, bool identity) {
    lines_.push_back({table_, key, value, identity});
  }
  const char* table_;
  std::vector<Line>& lines_;
};

void add_data_lines(const DataSection& data, std::vector<Line>& lines) {
  TableLines table("data", lines);
  const bool has_source = data.format != CorpusFormat::kText;
  table.add("format", kFormatWords, data.format);
  // Paths are no part of the identity: a run may move to a machine where the corpus lies
  // elsewhere, and the corpus' fingerprint tells whether it is the same. The subwords are in the
  // checkpoint.
  for (const auto& [key, path] :
       {std::pair{"train", &data.train}, std::pair{"train_source", &data.train_source},
        std::pair{"train_target", &data.train_target}, std::pair{"valid", &data.valid},
        std::pair{"valid_source", &data.valid_source},
        std::pair{"valid_target", &data.valid_target},
        std::pair{"source_subwords", &data.source_subwords},
        std::pair{"target_subwords", &data.target_subwords}}) {
    if (!path->empty()) table.add_free(key, toml_quoted(*path));
  }
  table.add("valid_fraction", data.valid_fraction);
  table.add("valid_limit", data.valid_limit);
  if (has_source) table.add("source_tokens", kTokenWords, data.source_tokens);
  table.add("target_tokens", kTokenWords, data.target_tokens);
  table.add("max_length", data.max_length);
  table.add("vocabulary", data.vocabulary);
  table.add("bad_lines", kBadLineWords, data.bad_lines);
  table.add("limit", data.limit);
}

void add_noise_lines(const NoiseSection& noise, std::vector<Line>& lines) {
  TableLines table("noise", lines);
  table.add("lines", noise.lines);
  table.add("min_edits", noise.min_edits);
  table.add("max_edits", noise.max_edits);
  table.add("per_character", noise.per_character);
  table.add("fresh_each_epoch", noise.fresh_each_epoch);
}

void add_model_lines(const ModelSection& model, std::vector<Line>& lines) {
  TableLines table("model", lines);
  table.add("kind", kModelWords, model.kind);
  table.add("cell", kCellWords, model.cell);
  table.add("layers", model.layers);
  table.add("hidden", model.hidden);
  table.add("embedding", model.embedding);
  table.add("tied_embeddings", model.tied_embeddings);
  if (model.kind == ModelKind::kSeq2seq) {
    table.add("bidirectional", model.bidirectional);
    table.add("attention", std::string(model.attention ? "\"general\"" : "\"none\""));
  }
  table.add("dropout", model.dropout);
}

void add_batch_lines(const TrainSection& train, TableLines& table) {
  if (train.batch_tokens > 0) {
    table.add("batch_tokens", train.batch_tokens);
  } else if (train.batch_size == kFitBatch) {
    table.add("batch_size", std::string("\"fit\""));
  } else {
    table.add("batch_size", train.batch_size);
  }
  table.add("accumulate", train.accumulate);
}

void add_optimizer_lines(const TrainSection& train, TableLines& table) {
  table.add("optimizer", kOptimizerWords, train.optimizer);
  table.add("learning_rate", train.learning_rate);
  if (train.optimizer == Optimizer::kSgd) {
    table.add("momentum", train.momentum);
  } else {
    table.add("beta1", train.beta1);
    table.add("beta2", train.beta2);
    table.add("epsilon", train.epsilon);
  }
  if (train.optimizer != Optimizer::kAdam) table.add("weight_decay", train.weight_decay);
}

void add_train_lines(const TrainSection& train, std::vector<Line>& lines) {
  TableLines table("train", lines);
  table.add("epochs", train.epochs);
  table.add("max_steps", train.max_steps);
  table.add("max_hours", train.max_hours);
  add_batch_lines(train, table);
  add_optimizer_lines(train, table);
  table.add("clip_norm", train.clip_norm);
  table.add("label_smoothing", train.label_smoothing);
  table.add("best", kMeasureWords, train.best);
  table.add("patience", train.patience);
  // A run may move from a GPU to a CPU and back, which changes the roundings and not what is
  // learnt; precision and deterministic choose roundings too. So none of the four is the run.
  table.add_free("device", toml_quoted(train.device));
  table.add_free("precision", toml_quoted(train.precision));
  table.add_free("deterministic", train.deterministic ? "true" : "false");
  table.add_free("threads", std::to_string(train.threads));
}

void add_schedule_lines(const ScheduleSection& schedule, std::vector<Line>& lines) {
  TableLines table("schedule", lines);
  table.add("kind", kScheduleWords, schedule.kind);
  table.add("warmup_steps", schedule.warmup_steps);
  if (schedule.kind == ScheduleKind::kCosine) table.add("decay_steps", schedule.decay_steps);
  if (schedule.kind != ScheduleKind::kConstant) table.add("floor", schedule.floor);
  if (schedule.kind == ScheduleKind::kPlateau) {
    table.add("factor", schedule.factor);
    table.add("patience", schedule.patience);
  }
}

// How held-out lines are answered decides what is measured, and so which checkpoint is the best.
void add_decode_lines(const DecodeSection& decode, std::vector<Line>& lines) {
  TableLines table("decode", lines);
  table.add("beam", decode.beam);
  table.add("length_alpha", decode.length_alpha);
}

std::vector<Line> lines_of(const RunFile& run) {
  std::vector<Line> lines;
  lines.push_back({"", "name", toml_quoted(run.name), false});
  lines.push_back({"", "seed", std::to_string(run.seed), true});
  add_data_lines(run.data, lines);
  if (run.data.format == CorpusFormat::kLines) add_noise_lines(run.noise, lines);
  add_model_lines(run.model, lines);
  add_train_lines(run.train, lines);
  add_schedule_lines(run.schedule, lines);
  add_decode_lines(run.decode, lines);
  const CheckpointSection& checkpoint = run.checkpoint;
  lines.push_back({"checkpoint", "every_batches", std::to_string(checkpoint.every_batches), false});
  lines.push_back({"checkpoint", "every_minutes", number(checkpoint.every_minutes), false});
  lines.push_back({"checkpoint", "keep", std::to_string(checkpoint.keep), false});
  lines.push_back({"checkpoint", "on_error",
                   toml_quoted(word_of(kSaveTroubleWords, checkpoint.on_error)), false});
  // Rows must fall on the same steps, or the metric table would not be the same.
  lines.push_back({"report", "every_batches", std::to_string(run.report.every_batches), true});
  lines.push_back({"report", "samples", std::to_string(run.report.samples), false});
  return lines;
}

}  // namespace

std::string to_toml(const RunFile& run) {
  std::string text;
  std::string table;
  for (const Line& line : lines_of(run)) {
    if (line.table != table) text += "\n[" + line.table + "]\n";
    table = line.table;
    text += line.key + " = " + line.value + "\n";
  }
  return text;
}

std::vector<std::string> identity_of(const RunFile& run) {
  std::vector<std::string> identity;
  for (const Line& line : lines_of(run)) {
    if (!line.identity) continue;
    identity.push_back((line.table.empty() ? "" : line.table + ".") + line.key + " = " +
                       line.value);
  }
  return identity;
}

bool is_valid_run_name(const std::string& name) {
  const auto alphanumeric = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  };
  if (name.empty() || name.size() > 64 || !alphanumeric(name[0])) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

}  // namespace traind
