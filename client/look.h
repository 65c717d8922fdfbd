// How a text is to look: everything a render function needs to know about where it will be read.
//
// A value, made once in main() from the terminal and the environment, and by hand in tests; so a
// render function is pure: the same reply and the same Look give the same text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace traind {

struct Look {
  int width = 80;
  bool color = false;
  bool unicode = true;    // else ASCII alone for bars and plots
  bool terminal = false;  // a person reads along: relative times ("3m ago") instead of UTC
  std::int64_t now_micros = 0;
};

enum class Ink { kNone, kBold, kDim, kRed, kGreen, kYellow, kCyan };

// `text` in that ink when the look has colour, else as it is.
std::string painted(const Look& look, Ink ink, std::string_view text);

// What the output stream `fd`, the environment and the two options ask for. Reads NO_COLOR, TERM,
// CLICOLOR, COLUMNS and the locale (setlocale has been called). `now_micros` is the clock's.
Look look_of(int fd, bool no_color, bool ascii);

// Columns and rows of the terminal `fd`; 80 x 24 where it is none.
struct TerminalSize {
  int columns = 80;
  int rows = 24;
};
TerminalSize terminal_size(int fd);

}  // namespace traind
