// A grid of characters with finer dots in it: 2 by 4 braille dots in a character where the
// terminal shows Unicode, one dot in a character otherwise; and whole characters laid over them.
//
// A value, used by one thread. x grows to the right and y downwards, both in dots and from 0;
// whatever lies outside is left out.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace traind {

class Canvas {
 public:
  Canvas(int columns, int rows, bool braille);

  int dots_across() const noexcept { return columns_ * (braille_ ? 2 : 1); }
  int dots_down() const noexcept { return rows_ * (braille_ ? 4 : 1); }

  void dot(int x, int y);
  // All dots between two, both included.
  void line(int x0, int y0, int x1, int y1);
  // One character, in place of the dots below it.
  void mark(int column, int row, const std::string& character);

  struct Cell {
    std::string character;  // " " when empty
    bool marked = false;
  };
  // [rows][columns]
  std::vector<std::vector<Cell>> cells() const;

 private:
  std::size_t index(int column, int row) const noexcept;

  const int columns_;
  const int rows_;
  const bool braille_;
  std::vector<unsigned char> dots_;  // [rows, columns], bits as in U+2800
  std::vector<std::string> marks_;   // [rows, columns]
};

}  // namespace traind
