#include "client/table.h"

#include <algorithm>
#include <utility>

#include "client/terminal_text.h"

namespace traind {

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::add(std::vector<std::string> cells, Ink ink) {
  for (std::string& cell : cells) {
    if (cell.empty()) cell = "-";
  }
  rows_.push_back({std::move(cells), ink});
}

std::string Table::line(const std::vector<std::string>& cells,
                        const std::vector<int>& widths) const {
  std::string text;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (i > 0) text += "  ";
    text += columns_[i].align == Align::kRight ? padded_left(cells[i], widths[i])
                                               : padded(cells[i], widths[i]);
  }
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

std::string Table::text(const Look& look, bool header) const {
  std::vector<int> widths;
  std::vector<std::string> headers;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    int width = header ? columns_of(columns_[i].header) : 0;
    for (const Row& row : rows_) width = std::max(width, columns_of(row.cells[i]));
    widths.push_back(width);
    headers.push_back(columns_[i].header);
  }
  std::string text;
  if (header) text += painted(look, Ink::kDim, line(headers, widths)) + "\n";
  for (const Row& row : rows_) text += painted(look, row.ink, line(row.cells, widths)) + "\n";
  return text;
}

}  // namespace traind
