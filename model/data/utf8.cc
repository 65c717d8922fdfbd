#include "model/data/utf8.h"

#include <algorithm>
#include <cstring>

namespace traind {
namespace {

constexpr std::uint64_t kEach = 0x0101010101010101u;
constexpr std::uint64_t kHighBits = 0x80 * kEach;

// True when all eight bytes lie in 0x20..0x7E.
bool is_plain_ascii(const char* at) noexcept {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  const std::uint64_t below_space = (word - 0x20 * kEach) & ~word;
  const std::uint64_t delete_marks = word ^ (0x7F * kEach);
  const std::uint64_t is_delete = (delete_marks - kEach) & ~delete_marks;
  return ((word | below_space | is_delete) & kHighBits) == 0;
}

bool is_control(char32_t value) noexcept {
  return (value < 0x20 && value != '\t') || (value >= 0x7F && value < 0xA0);
}

}  // namespace

CodePoint decode_utf8(const char* at, const char* end) noexcept {
  const auto byte = [at](int i) { return static_cast<unsigned char>(at[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const int bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || end - at < bytes) return {};
  char32_t value = lead & (0x7Fu >> bytes);
  for (int i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0u) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3Fu);
  }
  const bool overlong = (bytes == 3 && value < 0x800) || (bytes == 4 && value < 0x10000);
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (overlong || surrogate || value > 0x10FFFF) return {};
  return {value, bytes};
}

void append_utf8(std::string& text, char32_t value) {
  const auto tail = [value](int shift) {
    return static_cast<char>(0x80 | ((value >> shift) & 0x3F));
  };
  if (value < 0x80) {
    text += static_cast<char>(value);
  } else if (value < 0x800) {
    text += static_cast<char>(0xC0 | value >> 6);
    text += tail(0);
  } else if (value < 0x10000) {
    text += static_cast<char>(0xE0 | value >> 12);
    text += tail(6);
    text += tail(0);
  } else {
    text += static_cast<char>(0xF0 | value >> 18);
    text += tail(12);
    text += tail(6);
    text += tail(0);
  }
}

TextScan scan_text(std::string_view text) noexcept {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* at = begin;
  std::int64_t characters = 0;
  while (at < end) {
    if (end - at >= 8 && is_plain_ascii(at)) {
      at += 8;
      characters += 8;
      continue;
    }
    // The word test has just failed: finish these eight bytes before trying it again.
    const char* const slow_end = at + std::min<std::ptrdiff_t>(8, end - at);
    while (at < slow_end) {
      const CodePoint point = decode_utf8(at, end);
      const std::size_t where = static_cast<std::size_t>(at - begin);
      if (point.bytes == 0) return {TextFault::kInvalid, where, characters};
      if (is_control(point.value)) return {TextFault::kControl, where, characters};
      at += point.bytes;
      ++characters;
    }
  }
  return {TextFault::kNone, text.size(), characters};
}

}  // namespace traind
