#include "client/canvas.h"

#include <algorithm>
#include <cstdlib>

namespace traind {

namespace {

// The bit of a dot in its cell, [x][y] (Unicode chapter 21, braille patterns: dots 1-2-3-7 on the
// left, 4-5-6-8 on the right).
constexpr unsigned char kBits[2][4] = {{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}};

std::string braille_character(unsigned char bits) {
  // U+2800 + bits in UTF-8.
  return {static_cast<char>(0xe2), static_cast<char>(0xa0 | bits >> 6),
          static_cast<char>(0x80 | (bits & 0x3f))};
}

}  // namespace

Canvas::Canvas(int columns, int rows, bool braille)
    : columns_(std::max(columns, 0)),
      rows_(std::max(rows, 0)),
      braille_(braille),
      dots_(static_cast<std::size_t>(columns_) * static_cast<std::size_t>(rows_)),
      marks_(dots_.size()) {}

std::size_t Canvas::index(int column, int row) const noexcept {
  return static_cast<std::size_t>(row) * static_cast<std::size_t>(columns_) +
         static_cast<std::size_t>(column);
}

void Canvas::dot(int x, int y) {
  if (x < 0 || y < 0 || x >= dots_across() || y >= dots_down()) return;
  const int column = braille_ ? x / 2 : x;
  const int row = braille_ ? y / 4 : y;
  const unsigned char bit = braille_ ? kBits[x % 2][y % 4] : 1;
  dots_[index(column, row)] |= bit;
}

void Canvas::line(int x0, int y0, int x1, int y1) {
  const int steps = std::max({std::abs(x1 - x0), std::abs(y1 - y0), 1});
  for (int i = 0; i <= steps; ++i) {
    const auto between = [&](int a, int b) {
      return a +
             static_cast<int>((2LL * (b - a) * i + ((b >= a) ? steps : -steps)) / (2LL * steps));
    };
    dot(between(x0, x1), between(y0, y1));
  }
}

void Canvas::mark(int column, int row, const std::string& character) {
  if (column < 0 || row < 0 || column >= columns_ || row >= rows_) return;
  marks_[index(column, row)] = character;
}

std::vector<std::vector<Canvas::Cell>> Canvas::cells() const {
  std::vector<std::vector<Cell>> result(static_cast<std::size_t>(rows_));
  for (std::size_t i = 0; i < dots_.size(); ++i) {
    Cell cell{" ", false};
    if (!marks_[i].empty()) {
      cell = {marks_[i], true};
    } else if (dots_[i] != 0) {
      cell.character = braille_ ? braille_character(dots_[i]) : ".";
    }
    result[i / static_cast<std::size_t>(columns_)].push_back(cell);
  }
  return result;
}

}  // namespace traind
