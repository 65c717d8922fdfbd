#include "model/data/token_counter.h"

#include <algorithm>
#include <utility>

#include "model/data/utf8.h"

namespace traind {

TokenCounter::TokenCounter(TokenKind kind, std::size_t table_limit)
    : kind_(kind), table_limit_(table_limit) {}

void TokenCounter::add(std::string_view text) {
  if (kind_ == TokenKind::kWords) {
    for (const std::string_view word : split_tokens(text, kind_)) {
      const auto found = by_word_.find(word);
      if (found != by_word_.end()) {
        ++found->second;
      } else {
        by_word_.emplace(word, 1);
      }
    }
    if (by_word_.size() > table_limit_) forget_rare();
    return;
  }
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    const auto byte = static_cast<unsigned char>(*at);
    if (byte < kAscii) {
      ++by_ascii_[byte];
      ++at;
      continue;
    }
    const CodePoint point = decode_utf8(at, end);
    at += std::max(1, point.bytes);
    if (point.bytes == 0) continue;
    ++by_code_point_[point.value];
  }
}

// Raises the least count that stays until half of the table is free.
void TokenCounter::forget_rare() {
  for (std::int64_t least = 2; by_word_.size() > table_limit_ / 2; ++least) {
    std::erase_if(by_word_, [least](const auto& entry) { return entry.second < least; });
  }
}

std::vector<TokenCounter::Counted> TokenCounter::most_frequent(std::int64_t limit) const {
  std::vector<Counted> counted;
  const auto take = [&](char32_t point, std::int64_t count) {
    if (count == 0) return;
    std::string character;
    append_utf8(character, point);
    counted.push_back({count, std::move(character)});
  };
  for (std::size_t i = 0; i < kAscii; ++i) take(static_cast<char32_t>(i), by_ascii_[i]);
  by_code_point_.each(take);
  for (const auto& [word, count] : by_word_) counted.push_back({count, word});

  std::size_t kept = counted.size();
  if (limit > 0) kept = std::min(kept, static_cast<std::size_t>(limit));
  // Bytes of UTF-8 compare as their code points do.
  std::partial_sort(counted.begin(), counted.begin() + static_cast<std::ptrdiff_t>(kept),
                    counted.end(), [](const Counted& a, const Counted& b) {
                      return a.count != b.count ? a.count > b.count : a.token < b.token;
                    });
  counted.resize(kept);
  return counted;
}

Vocabulary TokenCounter::vocabulary(std::int64_t limit) const {
  std::vector<std::string> tokens;
  for (Counted& counted : most_frequent(limit)) tokens.push_back(std::move(counted.token));
  return {kind_, std::move(tokens)};
}

}  // namespace traind
