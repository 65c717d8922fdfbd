#include <algorithm>
#include <filesystem>
#include <limits>

#include "model/base/toml_reader.h"
#include "model/train/run_file.h"

namespace traind {
namespace {

constexpr std::int64_t kManyRows = std::int64_t{1} << 40;

std::string absolute(const std::string& base_folder, const std::string& path) {
  if (path.empty()) return path;
  return (std::filesystem::path(base_folder) / path).lexically_normal().string();
}

TokenKind token_kind(TomlReader& in, const std::string& key) {
  const bool words = in.choice("data", key, "characters", {"characters", "words"}) == "words";
  return words ? TokenKind::kWords : TokenKind::kCharacters;
}

// Which file keys a format needs, and that it has those and no others.
void check_files(TomlReader& in, const DataSection& data) {
  const bool parallel = data.format == CorpusFormat::kParallel;
  for (const char* key : {"train_source", "train_target", "valid_source", "valid_target"}) {
    if (in.has("data", key) && !parallel) {
      throw in.error_at("data", key,
                        std::string("data.") + key +
                            " belongs to format = \"parallel\"; use data.train or "
                            "data.valid here");
    }
  }
  for (const char* key : {"train", "valid"}) {
    if (in.has("data", key) && parallel) {
      throw in.error_at("data", key,
                        std::string("data.") + key +
                            " is not for format = "
                            "\"parallel\"; give data." +
                            key + "_source and data." + key + "_target");
    }
  }
  const bool complete =
      parallel ? !data.train_source.empty() && !data.train_target.empty() : !data.train.empty();
  if (!complete) {
    throw in.error_at("data", "format",
                      parallel ? "data.train_source and data.train_target are needed: the two "
                                 "aligned files"
                               : "data.train is needed: the file to train on");
  }
  if (data.valid_source.empty() != data.valid_target.empty()) {
    throw in.error_at("data", data.valid_source.empty() ? "valid_target" : "valid_source",
                      "data.valid_source and data.valid_target go together");
  }
}

void read_data(TomlReader& in, const std::string& base, DataSection& data) {
  const std::string format = in.choice("data", "format", "tsv", {"lines", "tsv", "parallel"});
  data.format = format == "lines" ? CorpusFormat::kLines
                : format == "tsv" ? CorpusFormat::kTsv
                                  : CorpusFormat::kParallel;
  data.train = absolute(base, in.text("data", "train", data.train));
  data.train_source = absolute(base, in.text("data", "train_source", data.train_source));
  data.train_target = absolute(base, in.text("data", "train_target", data.train_target));
  data.valid = absolute(base, in.text("data", "valid", data.valid));
  data.valid_source = absolute(base, in.text("data", "valid_source", data.valid_source));
  data.valid_target = absolute(base, in.text("data", "valid_target", data.valid_target));
  check_files(in, data);
  data.valid_fraction = in.number("data", "valid_fraction", data.valid_fraction, 1e-6, 0.9);
  data.valid_limit = in.integer("data", "valid_limit", data.valid_limit, 0, kManyRows);
  data.source_tokens = token_kind(in, "source_tokens");
  data.target_tokens = token_kind(in, "target_tokens");
  data.max_length = static_cast<int>(in.integer("data", "max_length", data.max_length, 1, 10'000));
  data.vocabulary = in.integer("data", "vocabulary", data.vocabulary, 1, 1'000'000);
  data.bad_lines = in.choice("data", "bad_lines", "refuse", {"refuse", "skip"}) == "skip"
                       ? BadLines::kSkip
                       : BadLines::kRefuse;
  data.limit = in.integer("data", "limit", data.limit, 0, kManyRows);
}

void read_noise(TomlReader& in, const DataSection& data, NoiseSection& noise) {
  bool any = false;
  for (const char* key : {"lines", "min_edits", "max_edits", "per_character", "fresh_each_epoch"}) {
    any = in.has("noise", key) || any;
  }
  noise.lines = in.number("noise", "lines", noise.lines, 0, 1);
  noise.min_edits = static_cast<int>(in.integer("noise", "min_edits", noise.min_edits, 1, 100));
  noise.max_edits = static_cast<int>(
      in.integer("noise", "max_edits", std::max(noise.max_edits, noise.min_edits), 1, 100));
  noise.per_character = in.number("noise", "per_character", noise.per_character, 0, 1);
  noise.fresh_each_epoch = in.boolean("noise", "fresh_each_epoch", noise.fresh_each_epoch);
  if (any && data.format != CorpusFormat::kLines) {
    throw Error(ErrorKind::kConfig,
                "[noise] is for data.format = \"lines\" alone: other corpora bring their own "
                "sources; remove the table or change the format");
  }
  if (noise.max_edits < noise.min_edits) {
    throw in.error_at("noise", "max_edits", "noise.max_edits is below noise.min_edits");
  }
}

void read_model(TomlReader& in, ModelSection& model) {
  model.layers = static_cast<int>(in.integer("model", "layers", model.layers, 1, 64));
  model.hidden = static_cast<int>(in.integer("model", "hidden", model.hidden, 1, 16'384));
  model.embedding = static_cast<int>(in.integer("model", "embedding", model.embedding, 0, 16'384));
  model.bidirectional = in.boolean("model", "bidirectional", model.bidirectional);
  model.attention = in.choice("model", "attention", "none", {"none", "general"}) == "general";
  model.dropout = in.number("model", "dropout", model.dropout, 0, 0.95);
  if (model.embedding == 0) model.embedding = model.hidden;
  if (model.bidirectional && model.hidden % 2 != 0) {
    throw in.error_at("model", "hidden",
                      "model.hidden must be even when model.bidirectional is true: each direction "
                      "has half of it");
  }
}

int read_batch_size(TomlReader& in, int usual) {
  if (in.is_text("train", "batch_size")) {
    if (in.text("train", "batch_size", "") == "fit") return kFitBatch;
    throw in.error_at("train", "batch_size",
                      "train.batch_size must be a whole number or \"fit\", which takes as many "
                      "examples as the GPU's memory holds");
  }
  return static_cast<int>(in.integer("train", "batch_size", usual, 1, 65'536));
}

void read_train(TomlReader& in, TrainSection& train) {
  train.epochs = static_cast<int>(in.integer("train", "epochs", train.epochs, 1, 1'000'000));
  train.batch_size = read_batch_size(in, train.batch_size);
  train.learning_rate = in.number("train", "learning_rate", train.learning_rate, 1e-12, 100);
  train.beta1 = in.number("train", "beta1", train.beta1, 0, 0.999999);
  train.beta2 = in.number("train", "beta2", train.beta2, 0, 0.9999999);
  train.epsilon = in.number("train", "epsilon", train.epsilon, 1e-20, 1);
  train.clip_norm = in.number("train", "clip_norm", train.clip_norm, 0, 1e9);
  train.device = in.choice("train", "device", train.device, {"auto", "cpu", "cuda"});
  train.precision =
      in.choice("train", "precision", train.precision, {"fp32", "tf32", "bf16", "fp16"});
  train.deterministic = in.boolean("train", "deterministic", train.deterministic);
  train.threads = static_cast<int>(in.integer("train", "threads", train.threads, 0, 1'024));
}

}  // namespace

RunFile parse_run_file(const std::string& text, const std::string& path,
                       const std::string& base_folder) {
  TomlReader in(text, path);
  RunFile run;
  run.name = in.text("", "name", "");
  if (!run.name.empty() && !is_valid_run_name(run.name)) {
    throw in.error_at("", "name",
                      "name must begin with a letter or digit and go on with at most 63 letters, "
                      "digits, '.', '_' or '-'");
  }
  run.seed = static_cast<std::uint64_t>(in.integer("", "seed", static_cast<std::int64_t>(run.seed),
                                                   0, std::numeric_limits<std::int64_t>::max()));
  read_data(in, base_folder, run.data);
  read_noise(in, run.data, run.noise);
  read_model(in, run.model);
  read_train(in, run.train);
  CheckpointSection& checkpoint = run.checkpoint;
  checkpoint.every_batches =
      in.integer("checkpoint", "every_batches", checkpoint.every_batches, 0, kManyRows);
  checkpoint.every_minutes =
      in.number("checkpoint", "every_minutes", checkpoint.every_minutes, 0, 1e6);
  checkpoint.keep = static_cast<int>(in.integer("checkpoint", "keep", checkpoint.keep, 1, 10'000));
  run.report.every_batches =
      in.integer("report", "every_batches", run.report.every_batches, 1, kManyRows);
  run.report.samples =
      static_cast<int>(in.integer("report", "samples", run.report.samples, 0, 100));
  in.refuse_unknown();
  return run;
}

}  // namespace traind
