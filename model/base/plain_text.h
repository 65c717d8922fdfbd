// Text that others wrote (run files, corpora, workers, mail servers) made harmless for a log, a
// mail or a terminal: the one place that knows which characters steer what shows them.
//
// Pure functions on UTF-8; safe on any thread; none waits.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace traind {

// The code point at the start of a text that is not empty, by the table of well-formed sequences in
// Unicode 15, 3.9. An ill-formed start takes one byte, so that reading goes on at the next.
struct TextPoint {
  char32_t code = 0;
  std::size_t bytes = 1;
  bool valid = false;
};
TextPoint first_point(std::string_view text) noexcept;

// Whether a reader cannot see it and a terminal or a mail program may obey it: C0 and C1 controls,
// DEL, Unicode's directions (UAX #9), invisible marks, tags and noncharacters. The two joiners
// U+200C and U+200D do not count: Persian, Indic scripts and emoji are written with them.
bool is_steering(char32_t code) noexcept;

// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) noexcept;

// One line of valid UTF-8: line breaks and tabs become a space; what else is steering, and each
// invalid byte, becomes U+FFFD.
std::string one_line(std::string_view text);

// one_line, and at most `code_points` of them; a cut is shown by an ellipsis as the last one.
std::string one_line(std::string_view text, std::size_t code_points);

// Code points of valid UTF-8: what a line of Latin text takes in columns.
std::size_t code_points_of(std::string_view text) noexcept;

}  // namespace traind
