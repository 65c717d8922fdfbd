// Counts tokens while a corpus streams by, and makes the vocabulary of the most frequent ones.
//
// One thread at a time. Keeps strings of its own: nothing points into the texts. Memory is bounded:
// above `table_limit` different words the rarest are forgotten, which is the same for the same
// texts in the same order. Characters are always counted exactly.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/data/code_point_table.h"
#include "model/data/corpus_settings.h"
#include "model/data/vocabulary.h"

namespace traind {

class TokenCounter {
 public:
  // `table_limit` words cost about 100 bytes each.
  explicit TokenCounter(TokenKind kind, std::size_t table_limit = 4'000'000);

  void add(std::string_view text);
  struct Counted {
    std::int64_t count = 0;
    std::string token;
  };
  // The `limit` most frequent tokens, ties in code point order; limit 0 = all.
  std::vector<Counted> most_frequent(std::int64_t limit) const;
  // The same as a vocabulary.
  Vocabulary vocabulary(std::int64_t limit) const;

 private:
  using Table = std::unordered_map<std::string, std::int64_t, TextHash, std::equal_to<>>;
  static constexpr std::size_t kAscii = 0x80;
  void forget_rare();

  TokenKind kind_;
  std::size_t table_limit_;
  std::array<std::int64_t, kAscii> by_ascii_{};  // most of most corpora
  CodePointTable<std::int64_t> by_code_point_{0};
  Table by_word_;
};

}  // namespace traind
