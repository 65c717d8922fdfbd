#include "model/base/plain_text.h"

#include <algorithm>
#include <array>

namespace traind {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr const char* kEllipsis = "\xE2\x80\xA6";     // U+2026

bool is_break(char32_t code) noexcept {
  return code == '\t' || code == '\n' || code == '\r' || code == 0x2028 || code == 0x2029;
}

bool is_continuation(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

struct Range {
  char32_t first;
  char32_t last;
};

constexpr std::array<Range, 14> kSteering = {{{0x00, 0x1F},
                                              {0x7F, 0x9F},
                                              {0x61C, 0x61C},
                                              {0x180E, 0x180E},
                                              {0x200B, 0x200B},
                                              {0x200E, 0x200F},
                                              {0x2028, 0x202E},
                                              {0x2060, 0x206F},
                                              {0xFEFF, 0xFEFF},
                                              {0xFFF9, 0xFFFB},
                                              {0xFDD0, 0xFDEF},
                                              {0x1D173, 0x1D17A},
                                              {0xE0000, 0xE007F},
                                              {0xFFFE, 0xFFFF}}};

}  // namespace

TextPoint first_point(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xC2 || lead > 0xF4) return {};
  const std::size_t bytes = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < bytes) return {};
  char32_t code = lead & (0xFFu >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  const bool overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (overlong || surrogate || code > 0x10FFFF) return {};
  return {code, bytes, true};
}

bool is_steering(char32_t code) noexcept {
  // The last two points of every plane are no characters.
  if (code > 0xFFFF && (code & 0xFFFE) == 0xFFFE) return true;
  return std::any_of(kSteering.begin(), kSteering.end(), [code](const Range& range) {
    return code >= range.first && code <= range.last;
  });
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const TextPoint next = first_point(text);
    if (!next.valid) return false;
    text.remove_prefix(next.bytes);
  }
  return true;
}

std::string one_line(std::string_view text) {
  std::string line;
  line.reserve(text.size());
  while (!text.empty()) {
    const TextPoint next = first_point(text);
    if (next.valid && is_break(next.code)) {
      line += ' ';
    } else if (!next.valid || is_steering(next.code)) {
      line += kReplacement;
    } else {
      line.append(text.substr(0, next.bytes));
    }
    text.remove_prefix(next.bytes);
  }
  return line;
}

std::string one_line(std::string_view text, std::size_t code_points) {
  // No more input than could be shown is looked at: a code point has at most 4 bytes.
  std::string line = one_line(text.substr(0, (code_points + 1) * 4));
  if (code_points_of(line) <= code_points) return line;
  std::size_t end = 0;
  for (std::size_t seen = 0; end < line.size(); ++end) {
    if (!is_continuation(line[end]) && ++seen == code_points) break;
  }
  line.resize(end);
  return line + kEllipsis;
}

std::size_t code_points_of(std::string_view text) noexcept {
  return text.size() -
         static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_continuation));
}

}  // namespace traind
