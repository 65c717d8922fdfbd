// Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
//
// Pure functions over memory the caller owns; they wait for nothing and are safe on any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace traind {

struct CodePoint {
  char32_t value = 0;
  int bytes = 0;  // 1..4; 0 where the bytes are not UTF-8
};

// The code point that begins at `at`; reads nothing at or beyond `end`. Needs at < end.
CodePoint decode_utf8(const char* at, const char* end) noexcept;

// Adds a code point that is no surrogate and at most U+10FFFF.
void append_utf8(std::string& text, char32_t value);

enum class TextFault { kNone, kInvalid, kControl };

struct TextScan {
  TextFault fault = TextFault::kNone;
  std::size_t at = 0;           // byte of the fault
  std::int64_t characters = 0;  // before the fault
};

// Finds the first byte that is not UTF-8 or that begins a control character (C0, DEL, C1) other
// than tab. Runs of ASCII are read eight bytes at a time.
TextScan scan_text(std::string_view text) noexcept;

}  // namespace traind
