// Text from elsewhere, made fit for a terminal: nothing in it can move the cursor, change colours,
// reorder what is read, or break an aligned column.
//
// Pure functions on UTF-8; safe on any thread; none waits or throws. Every string that comes from
// the daemon goes through neutral() before it is printed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace traind {

enum class Lines { kOne, kMany };  // kMany leaves '\n' and '\t' as they are

// Control characters, escapes, bidirectional overrides, invisible format characters and bytes that
// are not UTF-8 are written out, as in "\x1b" and "\u202e". The result is valid UTF-8.
std::string neutral(std::string_view text, Lines lines = Lines::kOne);

// For a file or a pipe: only control characters, which would break lines or steer the terminal on
// which the file is shown later, and bytes that are not UTF-8 are written out.
std::string without_controls(std::string_view text);

// The same characters as JSON escapes, for a text that is JSON already (they can only stand inside
// its strings).
std::string neutral_json(std::string_view json);

// The position of the first byte that is not UTF-8, or npos.
std::size_t first_invalid_utf8(std::string_view text);

// Columns on a terminal; combining marks take none, East Asian wide characters and emoji two.
// `text` is neutral.
int columns_of(std::string_view text);

// At most `columns` columns of a neutral text, the last being an ellipsis when something was cut.
std::string clipped(std::string_view text, int columns, bool unicode = true);

// clipped() for a text that is painted: colour sequences take no columns, and what is cut off ends
// in the usual colour.
std::string fitted(std::string_view painted, int columns, bool unicode = true);

// Filled up with blanks to `columns` columns; longer texts stay whole.
std::string padded(std::string_view text, int columns);
std::string padded_left(std::string_view text, int columns);

}  // namespace traind
