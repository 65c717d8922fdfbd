#include "model/train/bleu.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "model/data/utf8.h"

namespace traind {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_stop(char c) noexcept { return c == '.' || c == ','; }

// ASCII punctuation and space, but for the apostrophe, the comma, the hyphen and the full stop.
bool is_parted(char c) noexcept {
  return (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') || c == '/' || (c >= ':' && c <= '@') ||
         (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

// White space as Python's str.split() sees it: Unicode's, with the separators U+001C to U+001F.
bool is_white(char32_t c) noexcept {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

std::vector<std::string> split_at_white(std::string_view text) {
  std::vector<std::string> words;
  bool within = false;
  for (const char* at = text.data(); at < text.data() + text.size();) {
    const CodePoint point = decode_utf8(at, text.data() + text.size());
    const auto bytes = static_cast<std::size_t>(std::max(1, point.bytes));
    if (point.bytes > 0 && is_white(point.value)) {
      within = false;
    } else {
      if (!within) words.emplace_back();
      words.back().append(at, bytes);
      within = true;
    }
    at += bytes;
  }
  return words;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// Puts a space on either side of each character that stands alone.
std::string part_each(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (is_parted(c)) {
      out += ' ';
      out += c;
      out += ' ';
    } else {
      out += c;
    }
  }
  return out;
}

// Rewrites the pairs of neighbours that `matches`, left to right and never one character twice, as
// a regular expression does. Bytes do for characters: what is looked for is ASCII.
template <class Matches>
std::string rewrite_pairs(const std::string& text, Matches&& matches, const char* before,
                          const char* between, const char* after) {
  std::string out;
  std::size_t i = 0;
  while (i < text.size()) {
    if (i + 1 < text.size() && matches(text[i], text[i + 1])) {
      out += before;
      out += text[i];
      out += between;
      out += text[i + 1];
      out += after;
      i += 2;
    } else {
      out += text[i++];
    }
  }
  return out;
}

using Counts = std::map<std::string, std::int64_t>;

// How often each run of `order` words stands in the text.
Counts count_runs(const std::vector<std::string>& words, std::size_t order) {
  Counts counts;
  for (std::size_t begin = 0; begin + order <= words.size(); ++begin) {
    std::string run;
    for (std::size_t i = begin; i < begin + order; ++i) run += words[i] + ' ';
    ++counts[run];
  }
  return counts;
}

// Of equally close lengths the shorter.
std::int64_t closest_length(const std::vector<std::vector<std::string>>& references,
                            std::int64_t wanted) {
  std::int64_t closest = -1;
  for (const std::vector<std::string>& words : references) {
    const auto length = static_cast<std::int64_t>(words.size());
    const std::int64_t apart = std::abs(length - wanted);
    const std::int64_t least = std::abs(closest - wanted);
    if (closest < 0 || apart < least || (apart == least && length < closest)) closest = length;
  }
  return closest;
}

}  // namespace

std::vector<std::string> tokenize_13a(std::string_view text) {
  // The order of the steps, and the spaces around the whole, are mteval-v13a's.
  std::string line(text);
  replace_all(line, "<skipped>", "");
  replace_all(line, "&quot;", "\"");
  replace_all(line, "&amp;", "&");
  replace_all(line, "&lt;", "<");
  replace_all(line, "&gt;", ">");
  line = part_each(' ' + line + ' ');
  line = rewrite_pairs(
      line, [](char a, char b) { return !is_digit(a) && is_stop(b); }, "", " ", " ");
  line = rewrite_pairs(
      line, [](char a, char b) { return is_stop(a) && !is_digit(b); }, " ", " ", "");
  line = rewrite_pairs(
      line, [](char a, char b) { return is_digit(a) && b == '-'; }, "", " ", " ");
  return split_at_white(line);
}

void BleuSum::add(std::span<const std::string> references, const std::string& output) {
  const std::vector<std::string> words = tokenize_13a(output);
  std::vector<std::vector<std::string>> right;
  for (const std::string& reference : references) right.push_back(tokenize_13a(reference));

  const auto length = static_cast<std::int64_t>(words.size());
  output_words_ += length;
  reference_words_ += closest_length(right, length);
  for (std::size_t n = 0; n < kOrders; ++n) {
    Counts most;  // of each run, in any one reference
    for (const std::vector<std::string>& reference : right) {
      for (const auto& [run, count] : count_runs(reference, n + 1)) {
        most[run] = std::max(most[run], count);
      }
    }
    for (const auto& [run, count] : count_runs(words, n + 1)) {
      offered_[n] += count;
      const auto found = most.find(run);
      if (found != most.end()) matched_[n] += std::min(count, found->second);
    }
  }
  references_vary_ = references_vary_ || (references_ != 0 && references_ != references.size());
  if (references_ == 0) references_ = references.size();
}

double BleuSum::score() const {
  double logarithms = 0;
  double smoothing = 1;
  // Without four words in a row anywhere there is no precision to smooth.
  if (matched_[0] == 0 || offered_[kOrders - 1] == 0) return 0;
  for (std::size_t n = 0; n < kOrders; ++n) {
    const auto offered = static_cast<double>(offered_[n]);
    if (matched_[n] == 0) smoothing *= 2;
    const double precision = matched_[n] == 0 ? 100.0 / (smoothing * offered)
                                              : 100.0 * static_cast<double>(matched_[n]) / offered;
    logarithms += std::log(precision);
  }
  const double ratio = static_cast<double>(reference_words_) / static_cast<double>(output_words_);
  const double brevity = output_words_ < reference_words_ ? std::exp(1 - ratio) : 1.0;
  return brevity * std::exp(logarithms / kOrders);
}

std::string BleuSum::signature() const {
  return "nrefs:" + (references_vary_ ? "var" : std::to_string(references_)) +
         "|case:mixed|eff:no|tok:13a|smooth:exp|version:traind-" TRAIND_VERSION;
}

}  // namespace traind
