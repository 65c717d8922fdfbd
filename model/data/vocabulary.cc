#include "model/data/vocabulary.h"

#include <algorithm>
#include <utility>

#include "model/base/base64.h"
#include "model/base/error.h"
#include "model/data/utf8.h"

namespace traind {
namespace {

constexpr std::string_view kCharactersHead = "characters\n";
constexpr std::string_view kWordsHead = "words\n";
constexpr std::string_view kSubwordsHead = "subwords\n";
constexpr const char* kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

// A byte that is no UTF-8 counts as a token, so that damaged text never stops the walk.
std::size_t step(std::string_view text, std::size_t at) noexcept {
  if (static_cast<unsigned char>(text[at]) < 0x80) return 1;
  const CodePoint point = decode_utf8(text.data() + at, text.data() + text.size());
  return point.bytes == 0 ? 1 : static_cast<std::size_t>(point.bytes);
}

template <class Take>
void each_token(std::string_view text, TokenKind kind, Take&& take) {
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t end = at;
    if (kind != TokenKind::kWords) {
      end += step(text, at);
    } else {
      while (end < text.size() && !is_space(text[end])) ++end;
    }
    if (end > at) take(text.substr(at, end - at));
    at = std::max(end, at + 1);
  }
}

std::string escaped(const std::string& token) {
  std::string line;
  for (const char c : token) {
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\\') {
      line += "\\\\";
    } else {
      line += c;
    }
  }
  return line;
}

std::string unescaped(std::string_view line) {
  std::string token;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\\') {
      token += line[i];
      continue;
    }
    const char next = i + 1 < line.size() ? line[++i] : '\0';
    if (next != 'n' && next != '\\') {
      throw Error(ErrorKind::kCorrupt,
                  "vocabulary: unknown escape in the line of a token; take another checkpoint");
    }
    token += next == 'n' ? '\n' : '\\';
  }
  return token;
}

// Of a text that begins with kSubwordsHead and ends in a newline.
Vocabulary subwords_from_text(const std::string& text) {
  std::string bytes;
  const std::string_view line =
      std::string_view(text).substr(kSubwordsHead.size(), text.size() - kSubwordsHead.size() - 1);
  if (text.size() == kSubwordsHead.size() || !from_base64(line, bytes)) {
    throw Error(ErrorKind::kCorrupt,
                "vocabulary: its subword model is not base64; take another checkpoint");
  }
  try {
    return Vocabulary(std::make_shared<const SubwordModel>(std::move(bytes)));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kData) throw;
    throw Error(ErrorKind::kCorrupt, std::string(error.what()) + "; take another checkpoint");
  }
}

}  // namespace

std::vector<std::string_view> split_tokens(std::string_view text, TokenKind kind) {
  std::vector<std::string_view> tokens;
  if (kind != TokenKind::kWords) tokens.reserve(text.size());
  each_token(text, kind, [&](std::string_view token) { tokens.push_back(token); });
  return tokens;
}

std::int64_t count_tokens(std::string_view text, TokenKind kind) noexcept {
  std::int64_t count = 0;
  each_token(text, kind, [&](std::string_view) { ++count; });
  return count;
}

Vocabulary::Vocabulary(TokenKind kind, std::vector<std::string> tokens)
    : kind_(kind), tokens_(std::move(tokens)) {
  if (kind_ == TokenKind::kSubwords) {
    throw Error(ErrorKind::kInternal, "vocabulary: subwords need a model and not a list");
  }
  const auto refuse = [](std::size_t index, const char* why) {
    throw Error(ErrorKind::kData, "vocabulary: token " + std::to_string(index + 1) + " " + why);
  };
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const std::string& token = tokens_[i];
    const std::int32_t id = kFirstTokenId + static_cast<std::int32_t>(i);
    if (kind_ == TokenKind::kWords) {
      if (token.empty() || std::any_of(token.begin(), token.end(), is_space)) {
        refuse(i, "is not one word");
      }
      if (!by_word_.emplace(token, id).second) refuse(i, "is there twice");
      continue;
    }
    const CodePoint point =
        token.empty() ? CodePoint{} : decode_utf8(token.data(), token.data() + token.size());
    if (point.bytes == 0 || token.size() != static_cast<std::size_t>(point.bytes)) {
      refuse(i, "is not one character");
    }
    std::int32_t& known = by_code_point_[point.value];
    if (known != kUnknownId) refuse(i, "is there twice");
    known = id;
  }
}

Vocabulary::Vocabulary(std::shared_ptr<const SubwordModel> subwords)
    : kind_(TokenKind::kSubwords), tokens_(subwords->pieces()), subwords_(std::move(subwords)) {}

std::int32_t Vocabulary::id_of(std::string_view token) const {
  if (kind_ == TokenKind::kWords) {
    const auto found = by_word_.find(token);
    return found == by_word_.end() ? kUnknownId : found->second;
  }
  const CodePoint point = decode_utf8(token.data(), token.data() + token.size());
  return point.bytes > 0 ? by_code_point_.at(point.value) : kUnknownId;
}

std::vector<std::int32_t> Vocabulary::encode(std::string_view text) const {
  std::vector<std::int32_t> ids;
  if (subwords_) {
    ids = subwords_->encode(text);
    for (std::int32_t& id : ids) {
      id = id == SubwordModel::kUnknown ? kUnknownId : id + kFirstTokenId;
    }
    return ids;
  }
  if (kind_ == TokenKind::kCharacters) ids.reserve(text.size());
  each_token(text, kind_, [&](std::string_view token) { ids.push_back(id_of(token)); });
  return ids;
}

std::string Vocabulary::decode(const std::vector<std::int32_t>& ids) const {
  std::string text;
  std::vector<std::int32_t> pieces;
  for (const std::int32_t id : ids) {
    if (id == kPadId || id == kBeginId || id == kEndId) continue;
    if (subwords_) {
      pieces.push_back(id < kFirstTokenId ? SubwordModel::kUnknown : id - kFirstTokenId);
      continue;
    }
    if (kind_ == TokenKind::kWords && !text.empty()) text += ' ';
    const bool known = id >= kFirstTokenId && id < size();
    text += known ? tokens_[static_cast<std::size_t>(id - kFirstTokenId)] : kReplacement;
  }
  return subwords_ ? subwords_->decode(pieces) : text;
}

std::string to_text(const Vocabulary& vocabulary) {
  if (const SubwordModel* const subwords = vocabulary.subwords()) {
    return std::string(kSubwordsHead) + base64(subwords->bytes()) + '\n';
  }
  std::string text(vocabulary.kind() == TokenKind::kWords ? kWordsHead : kCharactersHead);
  for (const std::string& token : vocabulary.tokens()) text += escaped(token) + '\n';
  return text;
}

Vocabulary vocabulary_from_text(const std::string& text) {
  const bool words = text.starts_with(kWordsHead);
  const bool subwords = text.starts_with(kSubwordsHead);
  if (!words && !subwords && !text.starts_with(kCharactersHead)) {
    throw Error(ErrorKind::kCorrupt,
                "vocabulary: its first line is neither \"characters\" nor \"words\" nor "
                "\"subwords\"; take another checkpoint");
  }
  if (text.back() != '\n') {
    throw Error(ErrorKind::kCorrupt,
                "vocabulary: its last line is cut off; take another checkpoint");
  }
  if (subwords) return subwords_from_text(text);
  std::vector<std::string> tokens;
  std::size_t at = words ? kWordsHead.size() : kCharactersHead.size();
  while (at < text.size()) {
    const std::size_t end = text.find('\n', at);
    tokens.push_back(unescaped(std::string_view(text).substr(at, end - at)));
    at = end + 1;
  }
  try {
    return {words ? TokenKind::kWords : TokenKind::kCharacters, std::move(tokens)};
  } catch (const Error& error) {
    throw Error(ErrorKind::kCorrupt, std::string(error.what()) + "; take another checkpoint");
  }
}

}  // namespace traind
