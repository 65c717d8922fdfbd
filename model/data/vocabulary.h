// Tokens and their ids, built once from the training lines and kept in the checkpoint.
//
// Immutable after construction; safe on any thread. Ids 0..3 are the marks below; the tokens
// follow by falling frequency, ties in code point order (token_counter.h builds them), or, if they
// are subwords, in the order of their sentencepiece model, which the vocabulary holds.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/data/code_point_table.h"
#include "model/data/corpus_settings.h"
#include "model/data/subwords.h"

namespace traind {

inline constexpr std::int32_t kPadId = 0;
inline constexpr std::int32_t kUnknownId = 1;
inline constexpr std::int32_t kBeginId = 2;
inline constexpr std::int32_t kEndId = 3;
inline constexpr std::int32_t kFirstTokenId = 4;

// The text cut into tokens; the views point into it. Characters are Unicode code points; words are
// what stands between runs of ASCII white space (others, such as U+00A0, belong to a word). Where
// subwords are asked for it is characters: their pieces are known to a Vocabulary alone. The text
// should be valid UTF-8; a byte that is not becomes a token of its own.
std::vector<std::string_view> split_tokens(std::string_view text, TokenKind kind);
// How many split_tokens() would give, without building them.
std::int64_t count_tokens(std::string_view text, TokenKind kind) noexcept;

// Hash that lets a table of strings be asked with a view.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};

class Vocabulary {
 public:
  // Tokens in the order of their ids, without the marks. Throws Error(kData) on a repeated token
  // and on one that is not exactly one character or one word, as `kind` says; kind is not
  // kSubwords.
  Vocabulary(TokenKind kind, std::vector<std::string> tokens);
  // The pieces of a model.
  explicit Vocabulary(std::shared_ptr<const SubwordModel> subwords);

  TokenKind kind() const { return kind_; }
  std::int32_t size() const { return kFirstTokenId + static_cast<std::int32_t>(tokens_.size()); }
  const std::vector<std::string>& tokens() const { return tokens_; }
  // Null unless kind() is kSubwords.
  const SubwordModel* subwords() const { return subwords_.get(); }

  // kUnknownId for what it does not know. No marks are added.
  std::vector<std::int32_t> encode(std::string_view text) const;
  // Marks are left out, an unknown token or id is U+FFFD; words are joined by one space, subwords
  // as their model says.
  std::string decode(const std::vector<std::int32_t>& ids) const;

 private:
  std::int32_t id_of(std::string_view token) const;

  TokenKind kind_;
  std::vector<std::string> tokens_;
  // One of the three, as kind_ says: characters by code point, words by hash.
  CodePointTable<std::int32_t> by_code_point_{kUnknownId};
  std::unordered_map<std::string, std::int32_t, TextHash, std::equal_to<>> by_word_;
  std::shared_ptr<const SubwordModel> subwords_;
};

// For the checkpoint: the kind, then one line of text a token, with newline and backslash escaped,
// or one line with the whole subword model in base64; and back. Throws Error(kCorrupt), and
// Error(kConfig) for subwords in a build without sentencepiece.
std::string to_text(const Vocabulary& vocabulary);
Vocabulary vocabulary_from_text(const std::string& text);

}  // namespace traind
