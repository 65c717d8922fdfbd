#include "model/data/corpus_fingerprint.h"

#include <cstdio>

#include "model/data/corpus_words.h"

namespace traind {
namespace {

void put(std::string& text, const char* key, const std::string& value) {
  text += std::string(key) + "=" + value + "\n";
}

void put(std::string& text, const char* key, std::int64_t value) {
  put(text, key, std::to_string(value));
}

void put_real(std::string& text, const char* key, double value) {
  char digits[40];
  std::snprintf(digits, sizeof digits, "%.17g", value);
  put(text, key, std::string(digits));
}

}  // namespace

std::string shaping_settings(const DataSection& data, const NoiseSection& noise) {
  std::string text = "traind corpus 1\n";
  put(text, "format", std::string(word_of(kFormatWords, data.format)));
  put(text, "source_tokens", std::string(word_of(kTokenWords, data.source_tokens)));
  put(text, "target_tokens", std::string(word_of(kTokenWords, data.target_tokens)));
  put(text, "max_length", data.max_length);
  put(text, "limit", data.limit);
  put(text, "valid_limit", data.valid_limit);
  put(text, "bad_lines", std::string(word_of(kBadLineWords, data.bad_lines)));
  const bool has_file = !data.valid.empty() || !data.valid_target.empty();
  if (!has_file) put_real(text, "valid_fraction", data.valid_fraction);
  if (data.format != CorpusFormat::kLines) return text;
  put_real(text, "noise.lines", noise.lines);
  put(text, "noise.min_edits", noise.min_edits);
  put(text, "noise.max_edits", noise.max_edits);
  put_real(text, "noise.per_character", noise.per_character);
  put(text, "noise.fresh_each_epoch", noise.fresh_each_epoch ? 1 : 0);
  return text;
}

}  // namespace traind
