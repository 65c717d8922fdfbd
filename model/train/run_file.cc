#include "model/train/run_file.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "model/base/error.h"
#include "model/base/quoting.h"

namespace traind {
namespace {

// Shortest decimal that reads back as the same number; always with a point or exponent.
std::string number(double value) {
  for (int digits = 6; digits <= 17; ++digits) {
    std::ostringstream out;
    out.precision(digits);
    out << value;
    if (std::stod(out.str()) != value) continue;
    const bool whole = out.str().find_first_of(".e") == std::string::npos;
    return out.str() + (whole ? ".0" : "");
  }
  throw Error(ErrorKind::kInternal, "a number of the run file cannot be written");
}

const char* format_name(CorpusFormat format) {
  switch (format) {
    case CorpusFormat::kLines:
      return "lines";
    case CorpusFormat::kTsv:
      return "tsv";
    case CorpusFormat::kParallel:
      return "parallel";
    case CorpusFormat::kText:
      return "text";
    case CorpusFormat::kDictionary:
      return "dictionary";
  }
  return "";
}

const char* kind_name(TokenKind kind) { return kind == TokenKind::kWords ? "words" : "characters"; }

// One value of the file: where it stands, how it reads, whether it decides what is learnt.
struct Line {
  std::string table;
  std::string key;
  std::string value;
  bool identity;
};

void add_data_lines(const DataSection& data, std::vector<Line>& lines) {
  const auto add = [&](const char* key, const std::string& value, bool identity) {
    lines.push_back({"data", key, value, identity});
  };
  add("format", toml_quoted(format_name(data.format)), true);
  // Paths are no part of the identity: a run may move to a machine where the corpus lies
  // elsewhere, and the corpus' fingerprint tells whether it is the same.
  for (const auto& [key, path] :
       {std::pair{"train", &data.train}, std::pair{"train_source", &data.train_source},
        std::pair{"train_target", &data.train_target}, std::pair{"valid", &data.valid},
        std::pair{"valid_source", &data.valid_source},
        std::pair{"valid_target", &data.valid_target}}) {
    if (!path->empty()) add(key, toml_quoted(*path), false);
  }
  add("valid_fraction", number(data.valid_fraction), true);
  add("valid_limit", std::to_string(data.valid_limit), true);
  add("source_tokens", toml_quoted(kind_name(data.source_tokens)), true);
  add("target_tokens", toml_quoted(kind_name(data.target_tokens)), true);
  add("max_length", std::to_string(data.max_length), true);
  add("vocabulary", std::to_string(data.vocabulary), true);
  add("bad_lines", data.bad_lines == BadLines::kSkip ? "\"skip\"" : "\"refuse\"", true);
  add("limit", std::to_string(data.limit), true);
}

void add_noise_lines(const NoiseSection& noise, std::vector<Line>& lines) {
  lines.push_back({"noise", "lines", number(noise.lines), true});
  lines.push_back({"noise", "min_edits", std::to_string(noise.min_edits), true});
  lines.push_back({"noise", "max_edits", std::to_string(noise.max_edits), true});
  lines.push_back({"noise", "per_character", number(noise.per_character), true});
  lines.push_back({"noise", "fresh_each_epoch", noise.fresh_each_epoch ? "true" : "false", true});
}

void add_model_lines(const ModelSection& model, std::vector<Line>& lines) {
  lines.push_back({"model", "layers", std::to_string(model.layers), true});
  lines.push_back({"model", "hidden", std::to_string(model.hidden), true});
  lines.push_back({"model", "embedding", std::to_string(model.embedding), true});
  lines.push_back({"model", "bidirectional", model.bidirectional ? "true" : "false", true});
  lines.push_back({"model", "attention", model.attention ? "\"general\"" : "\"none\"", true});
  lines.push_back({"model", "dropout", number(model.dropout), true});
}

void add_train_lines(const TrainSection& train, std::vector<Line>& lines) {
  lines.push_back({"train", "epochs", std::to_string(train.epochs), true});
  const bool fit = train.batch_size == kFitBatch;
  const std::string batch_size = fit ? "\"fit\"" : std::to_string(train.batch_size);
  lines.push_back({"train", "batch_size", batch_size, true});
  lines.push_back({"train", "learning_rate", number(train.learning_rate), true});
  lines.push_back({"train", "beta1", number(train.beta1), true});
  lines.push_back({"train", "beta2", number(train.beta2), true});
  lines.push_back({"train", "epsilon", number(train.epsilon), true});
  lines.push_back({"train", "clip_norm", number(train.clip_norm), true});
  // A run may move from a GPU to a CPU and back, which changes the roundings and not what is
  // learnt; precision and deterministic choose roundings too. So none of the four is the run.
  lines.push_back({"train", "device", toml_quoted(train.device), false});
  lines.push_back({"train", "precision", toml_quoted(train.precision), false});
  lines.push_back({"train", "deterministic", train.deterministic ? "true" : "false", false});
  lines.push_back({"train", "threads", std::to_string(train.threads), false});
}

std::vector<Line> lines_of(const RunFile& run) {
  std::vector<Line> lines;
  lines.push_back({"", "name", toml_quoted(run.name), false});
  lines.push_back({"", "seed", std::to_string(run.seed), true});
  add_data_lines(run.data, lines);
  if (run.data.format == CorpusFormat::kLines) add_noise_lines(run.noise, lines);
  add_model_lines(run.model, lines);
  add_train_lines(run.train, lines);
  const CheckpointSection& checkpoint = run.checkpoint;
  lines.push_back({"checkpoint", "every_batches", std::to_string(checkpoint.every_batches), false});
  lines.push_back({"checkpoint", "every_minutes", number(checkpoint.every_minutes), false});
  lines.push_back({"checkpoint", "keep", std::to_string(checkpoint.keep), false});
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
