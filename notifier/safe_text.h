// Text from outside (run names, reasons, log lines, samples) made harmless for a mail.
//
// Pure functions on UTF-8; safe on any thread. What comes out holds no control character, no
// direction override and no invalid UTF-8, so it can neither forge a header nor drive a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace traind {

// One line of valid UTF-8: line breaks and tabs become a space; other C0 and C1 controls, DEL,
// bidirectional embeddings, overrides and isolates, tag characters and invalid bytes become U+FFFD.
std::string one_line(std::string_view text);

// one_line, and at most `code_points` of them; a cut is shown by an ellipsis as the last one.
std::string one_line(std::string_view text, std::size_t code_points);

// Code points of valid UTF-8: what a line of Latin text takes in columns.
std::size_t code_points_of(std::string_view text) noexcept;

// For element content and quoted attributes: & < > " ' are escaped. Wants harmless text already.
std::string html_escaped(std::string_view text);

// Broken at spaces into lines of at most `width` code points; a longer word stands alone.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

}  // namespace traind
