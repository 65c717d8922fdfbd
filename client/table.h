// Rows as columns of aligned text, without lines or boxes, so that awk reads them too.
//
// A value, used by one thread. Cells are neutral text; an empty one is shown as "-".
#pragma once

#include <string>
#include <vector>

#include "client/look.h"

namespace traind {

enum class Align { kLeft, kRight };

struct Column {
  std::string header;
  Align align = Align::kLeft;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns);

  // One cell for each column. `ink` is for the whole row.
  void add(std::vector<std::string> cells, Ink ink = Ink::kNone);

  // Two blanks between columns, none at a line's end. Ends with a newline unless empty.
  std::string text(const Look& look, bool header = true) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    Ink ink;
  };
  std::string line(const std::vector<std::string>& cells, const std::vector<int>& widths) const;

  const std::vector<Column> columns_;
  std::vector<Row> rows_;
};

}  // namespace traind
