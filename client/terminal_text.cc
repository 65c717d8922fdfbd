#include "client/terminal_text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace traind {

namespace {

struct Decoded {
  char32_t point = 0;
  std::size_t bytes = 0;  // 0 = no valid sequence begins here
};

// One code point; overlong forms, surrogates and points past U+10FFFF are not valid (RFC 3629).
Decoded decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {byte(0), 1};
  std::size_t bytes = 0;
  char32_t point = 0;
  if ((byte(0) & 0xe0) == 0xc0) bytes = 2, point = byte(0) & 0x1f;
  if ((byte(0) & 0xf0) == 0xe0) bytes = 3, point = byte(0) & 0x0f;
  if ((byte(0) & 0xf8) == 0xf0) bytes = 4, point = byte(0) & 0x07;
  if (bytes == 0 || text.size() < bytes) return {};
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    point = point << 6 | (byte(i) & 0x3f);
  }
  constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < kSmallest[bytes] || point > 0x10ffff || surrogate) return {};
  return {point, bytes};
}

struct Range {
  char32_t first;
  char32_t last;
};

template <std::size_t size>
bool within(const std::array<Range, size>& ranges, char32_t point) {
  return std::any_of(ranges.begin(), ranges.end(), [point](const Range& range) {
    return point >= range.first && point <= range.last;
  });
}

// C0 and C1 controls, DEL, and Unicode's format characters that hide or reorder text
// (UAX #9 overrides and isolates, zero-width ones, separators, tags, interlinear marks).
constexpr std::array<Range, 13> kDangerous = {{{0x00, 0x1f},
                                               {0x7f, 0x9f},
                                               {0xad, 0xad},
                                               {0x61c, 0x61c},
                                               {0x180e, 0x180e},
                                               {0x200b, 0x200f},
                                               {0x2028, 0x202e},
                                               {0x2060, 0x206f},
                                               {0xfeff, 0xfeff},
                                               {0xfff9, 0xfffb},
                                               {0x1d173, 0x1d17a},
                                               {0xe0000, 0xe007f},
                                               {0xfffe, 0xffff}}};

constexpr std::array<Range, 9> kCombining = {{{0x300, 0x36f},
                                              {0x483, 0x489},
                                              {0x591, 0x5bd},
                                              {0x64b, 0x65f},
                                              {0x1ab0, 0x1aff},
                                              {0x1dc0, 0x1dff},
                                              {0x20d0, 0x20ff},
                                              {0xfe00, 0xfe0f},
                                              {0xfe20, 0xfe2f}}};

constexpr std::array<Range, 10> kWide = {{{0x1100, 0x115f},
                                          {0x2e80, 0x303e},
                                          {0x3041, 0xa4cf},
                                          {0xac00, 0xd7a3},
                                          {0xf900, 0xfaff},
                                          {0xfe30, 0xfe6f},
                                          {0xff00, 0xff60},
                                          {0xffe0, 0xffe6},
                                          {0x1f300, 0x1faff},
                                          {0x20000, 0x3fffd}}};

int columns_of_point(char32_t point) {
  if (within(kCombining, point)) return 0;
  return within(kWide, point) ? 2 : 1;
}

std::string written_out(char32_t point) {
  if (point == '\n') return "\\n";
  if (point == '\t') return "\\t";
  if (point == '\r') return "\\r";
  char text[16];
  const char* form = point < 0x80 ? "\\x%02x" : point < 0x10000 ? "\\u%04x" : "\\U%08x";
  std::snprintf(text, sizeof(text), form, static_cast<unsigned>(point));
  return text;
}

std::string json_escape(char32_t point) {
  char text[16];
  if (point < 0x10000) {
    std::snprintf(text, sizeof(text), "\\u%04x", static_cast<unsigned>(point));
  } else {
    const auto rest = static_cast<unsigned>(point) - 0x10000;
    std::snprintf(text, sizeof(text), "\\u%04x\\u%04x", 0xd800 + (rest >> 10),
                  0xdc00 + (rest & 0x3ff));
  }
  return text;
}

// Invalid bytes and the points that `harms` names are written out.
template <class Harms>
std::string disarmed(std::string_view text, Harms harms) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Decoded next = decode(text);
    if (next.bytes == 0) {
      char byte[8];
      std::snprintf(byte, sizeof(byte), "\\x%02x", static_cast<unsigned char>(text[0]));
      result += byte;
    } else if (harms(next.point)) {
      result += written_out(next.point);
    } else {
      result += text.substr(0, next.bytes);
    }
    text.remove_prefix(std::max<std::size_t>(next.bytes, 1));
  }
  return result;
}

}  // namespace

std::string neutral(std::string_view text, Lines lines) {
  return disarmed(text, [lines](char32_t point) {
    const bool layout = lines == Lines::kMany && (point == '\n' || point == '\t');
    return within(kDangerous, point) && !layout;
  });
}

std::string without_controls(std::string_view text) {
  return disarmed(text, [](char32_t point) {
    return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x2028 || point == 0x2029;
  });
}

std::string neutral_json(std::string_view json) {
  std::string result;
  result.reserve(json.size());
  while (!json.empty()) {
    const Decoded next = decode(json);
    if (next.bytes == 0) {
      result += "\\ufffd";
    } else if (next.point != '\n' && within(kDangerous, next.point)) {
      result += json_escape(next.point);
    } else {
      result += json.substr(0, next.bytes);
    }
    json.remove_prefix(std::max<std::size_t>(next.bytes, 1));
  }
  return result;
}

std::size_t first_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode(text.substr(at));
    if (next.bytes == 0) return at;
    at += next.bytes;
  }
  return std::string_view::npos;
}

int columns_of(std::string_view text) {
  int columns = 0;
  while (!text.empty()) {
    const Decoded next = decode(text);
    columns += next.bytes == 0 ? 1 : columns_of_point(next.point);
    text.remove_prefix(std::max<std::size_t>(next.bytes, 1));
  }
  return columns;
}

std::string clipped(std::string_view text, int columns, bool unicode) {
  if (columns_of(text) <= columns) return std::string(text);
  const std::string ellipsis = unicode ? "…" : "...";
  const int room = columns - columns_of(ellipsis);
  if (room < 0) return std::string(static_cast<std::size_t>(std::max(columns, 0)), '.');
  std::string result;
  for (int used = 0; !text.empty();) {
    const Decoded next = decode(text);
    used += columns_of_point(next.point);
    if (used > room) break;
    const std::size_t bytes = std::max<std::size_t>(next.bytes, 1);
    result += text.substr(0, bytes);
    text.remove_prefix(bytes);
  }
  return result + ellipsis;
}

std::string fitted(std::string_view painted, int columns, bool unicode) {
  std::string result;
  const std::string ellipsis = unicode ? "…" : "...";
  const int room = columns - columns_of(ellipsis);
  std::size_t kept = 0;  // bytes of the result that fit together with the ellipsis
  for (int used = 0; !painted.empty();) {
    if (painted.starts_with("\x1b[")) {
      const std::size_t end = std::min(painted.find('m'), painted.size() - 1);
      result += painted.substr(0, end + 1);
      if (used <= room) kept = result.size();
      painted.remove_prefix(end + 1);
      continue;
    }
    const Decoded next = decode(painted);
    const std::size_t bytes = std::max<std::size_t>(next.bytes, 1);
    used += next.bytes == 0 ? 1 : columns_of_point(next.point);
    if (used > columns) {
      const bool colored = result.find('\x1b') != std::string::npos;
      return result.substr(0, kept) + ellipsis + (colored ? "\x1b[0m" : "");
    }
    result += painted.substr(0, bytes);
    if (used <= room) kept = result.size();
    painted.remove_prefix(bytes);
  }
  return result;
}

std::string padded(std::string_view text, int columns) {
  const int missing = std::max(columns - columns_of(text), 0);
  return std::string(text) + std::string(static_cast<std::size_t>(missing), ' ');
}

std::string padded_left(std::string_view text, int columns) {
  const int missing = std::max(columns - columns_of(text), 0);
  return std::string(static_cast<std::size_t>(missing), ' ') + std::string(text);
}

}  // namespace traind
