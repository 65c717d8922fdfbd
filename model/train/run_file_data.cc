// [data] and [noise].
#include <algorithm>
#include <filesystem>

#include "model/train/run_file_tables.h"

namespace traind {
namespace {

constexpr std::int64_t kManyRows = std::int64_t{1} << 40;

std::string absolute(const std::string& base_folder, const std::string& path) {
  if (path.empty()) return path;
  return (std::filesystem::path(base_folder) / path).lexically_normal().string();
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

// A given sentencepiece model needs a side that is cut into subwords.
std::string read_subwords(TomlReader& in, const std::string& base, const std::string& side,
                          TokenKind tokens) {
  const std::string key = side + "_subwords";
  std::string path = absolute(base, in.text("data", key, ""));
  if (path.empty() || tokens == TokenKind::kSubwords) return path;
  throw in.error_at("data", key,
                    "data." + key + " names a sentencepiece model, which needs data." + side +
                        "_tokens = \"subwords\"");
}

void read_tokens(TomlReader& in, const std::string& base, DataSection& data) {
  // A pronunciation is written as symbols with spaces between them.
  if (data.format == CorpusFormat::kDictionary) data.target_tokens = TokenKind::kWords;
  for (const char* key : {"source_tokens", "source_subwords"}) {
    if (data.format == CorpusFormat::kText && in.has("data", key)) {
      throw in.error_at("data", key,
                        std::string("data.") + key +
                            " is not for format = \"text\": a language model's lines have no "
                            "source; use data.target_" +
                            std::string(key).substr(7));
    }
  }
  data.source_tokens = read_word(in, "data", "source_tokens", kTokenWords, data.source_tokens);
  data.target_tokens = read_word(in, "data", "target_tokens", kTokenWords, data.target_tokens);
  data.source_subwords = read_subwords(in, base, "source", data.source_tokens);
  data.target_subwords = read_subwords(in, base, "target", data.target_tokens);
}

}  // namespace

void read_data(TomlReader& in, const std::string& base_folder, DataSection& data) {
  const auto path = [&](const char* key) {
    return absolute(base_folder, in.text("data", key, ""));
  };
  data.format = read_word(in, "data", "format", kFormatWords, data.format);
  data.train = path("train");
  data.train_source = path("train_source");
  data.train_target = path("train_target");
  data.valid = path("valid");
  data.valid_source = path("valid_source");
  data.valid_target = path("valid_target");
  check_files(in, data);
  data.valid_fraction = in.number("data", "valid_fraction", data.valid_fraction, 1e-6, 0.9);
  data.valid_limit = in.integer("data", "valid_limit", data.valid_limit, 0, kManyRows);
  read_tokens(in, base_folder, data);
  data.max_length = static_cast<int>(in.integer("data", "max_length", data.max_length, 1, 10'000));
  data.vocabulary = in.integer("data", "vocabulary", data.vocabulary, 1, 1'000'000);
  data.bad_lines = read_word(in, "data", "bad_lines", kBadLineWords, data.bad_lines);
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
                "sources, or have none; remove the table or change the format");
  }
  if (noise.max_edits < noise.min_edits) {
    throw in.error_at("noise", "max_edits", "noise.max_edits is below noise.min_edits");
  }
}

}  // namespace traind
