#include "model/checkpoint/json_text.h"

#include "model/base/error.h"
#include "model/base/plain_text.h"

namespace traind {
namespace {

constexpr std::uint64_t kLargest = 0x7FFFFFFFFFFFFFFFu;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

void append_utf8(std::string& out, std::uint32_t code) {
  const auto push = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    push(code);
    return;
  }
  if (code < 0x800) {
    push(0xC0 | code >> 6);
  } else if (code < 0x10000) {
    push(0xE0 | code >> 12);
    push(0x80 | (code >> 6 & 0x3F));
  } else {
    push(0xF0 | code >> 18);
    push(0x80 | (code >> 12 & 0x3F));
    push(0x80 | (code >> 6 & 0x3F));
  }
  push(0x80 | (code & 0x3F));
}

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  if (!is_utf8(text)) {
    throw Error(ErrorKind::kInternal, "a name or text for a checkpoint's header is not UTF-8");
  }
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out.push_back("01"[c >> 4]);
      out.push_back("0123456789abcdef"[c & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

void JsonReader::fail(const std::string& why) const {
  throw Error(ErrorKind::kCorrupt, "header, at byte " + std::to_string(at_) + ": " + why);
}

void JsonReader::skip_white_space() noexcept {
  at_ = text_.find_first_not_of(" \t\n\r", at_);
  if (at_ == std::string_view::npos) at_ = text_.size();
}

bool JsonReader::accept(char wanted) noexcept {
  skip_white_space();
  if (at_ >= text_.size() || text_[at_] != wanted) return false;
  ++at_;
  return true;
}

void JsonReader::expect(char wanted) {
  if (!accept(wanted)) fail(std::string("expected ") + wanted);
}

std::string JsonReader::string() {
  expect('"');
  const std::size_t start = at_;
  std::string out;
  for (;;) {
    const std::size_t run = at_;
    while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
           static_cast<unsigned char>(text_[at_]) >= 0x20) {
      ++at_;
    }
    out.append(text_, run, at_ - run);
    if (at_ >= text_.size()) fail("a string does not end");
    const char c = text_[at_];
    if (c != '"' && c != '\\') fail("a control character in a string");
    ++at_;
    if (c == '"') break;
    append_escape(out);
  }
  if (!is_utf8(out)) {
    at_ = start;
    fail("a string is not UTF-8");
  }
  return out;
}

void JsonReader::append_escape(std::string& out) {
  if (at_ >= text_.size()) fail("a string does not end");
  const char c = text_[at_++];
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (const std::size_t i = kLetters.find(c); i != std::string_view::npos) {
    out.push_back(kMeanings[i]);
    return;
  }
  if (c != 'u') fail("unknown escape");
  std::uint32_t code = four_hex_digits();
  if (code >= 0xDC00 && code <= 0xDFFF) fail("half of a surrogate pair");
  if (code >= 0xD800 && code <= 0xDBFF) {
    if (text_.substr(at_, 2) != "\\u") fail("half of a surrogate pair");
    at_ += 2;
    const std::uint32_t low = four_hex_digits();
    if (low < 0xDC00 || low > 0xDFFF) fail("half of a surrogate pair");
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
  }
  append_utf8(out, code);
}

std::uint32_t JsonReader::four_hex_digits() {
  if (text_.size() - at_ < 4) fail("a string does not end");
  std::uint32_t code = 0;
  for (int i = 0; i < 4; ++i, ++at_) {
    const char c = text_[at_];
    const char lower = static_cast<char>(c | 0x20);
    std::uint32_t digit = 0;
    if (is_digit(c)) {
      digit = static_cast<std::uint32_t>(c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      digit = static_cast<std::uint32_t>(lower - 'a') + 10;
    } else {
      fail("expected a hexadecimal digit");
    }
    code = code << 4 | digit;
  }
  return code;
}

std::uint64_t JsonReader::integer() {
  skip_white_space();
  if (at_ >= text_.size() || !is_digit(text_[at_])) fail("expected a whole number");
  const bool leading_zero = text_[at_] == '0';
  std::uint64_t value = 0;
  const std::size_t start = at_;
  for (; at_ < text_.size() && is_digit(text_[at_]); ++at_) {
    const auto digit = static_cast<std::uint64_t>(text_[at_] - '0');
    if (value > (kLargest - digit) / 10) fail("a number is too large");
    value = value * 10 + digit;
  }
  if (leading_zero && at_ - start > 1) fail("a number starts with 0");
  return value;
}

void JsonReader::end() {
  skip_white_space();
  if (at_ != text_.size()) fail("something follows the header's end");
}

}  // namespace traind
