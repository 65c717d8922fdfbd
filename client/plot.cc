#include "client/plot.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>

#include "client/canvas.h"
#include "client/figures.h"
#include "client/terminal_text.h"

namespace traind {

namespace {

constexpr int kLabelColumns = 8;  // "  0.431" and a blank
constexpr int kRowsBelow = 3;     // the axis, its labels, the legend
constexpr int kMarkEvery = 4;     // columns between two circles of the validation curve

struct Frame {
  std::int64_t first_step = 0;
  std::int64_t last_step = 1;
  double low = 0;  // after the scale
  double high = 1;
};

double scaled(double loss, Scale scale) { return scale == Scale::kLog ? std::log10(loss) : loss; }
double unscaled(double y, Scale scale) { return scale == Scale::kLog ? std::pow(10, y) : y; }

std::vector<Point> drawable(const std::vector<Point>& points, Scale scale) {
  std::vector<Point> kept;
  for (const Point& point : points) {
    const bool positive = scale == Scale::kLinear || point.loss > 0;
    if (std::isfinite(point.loss) && positive) kept.push_back(point);
  }
  return kept;
}

std::optional<Frame> frame_of(const Curves& curves, Scale scale) {
  Frame frame;
  frame.first_step = std::numeric_limits<std::int64_t>::max();
  frame.last_step = std::numeric_limits<std::int64_t>::min();
  frame.low = std::numeric_limits<double>::infinity();
  frame.high = -frame.low;
  for (const auto* points : {&curves.training, &curves.validation}) {
    for (const Point& point : *points) {
      frame.first_step = std::min(frame.first_step, point.step);
      frame.last_step = std::max(frame.last_step, point.step);
      frame.low = std::min(frame.low, scaled(point.loss, scale));
      frame.high = std::max(frame.high, scaled(point.loss, scale));
    }
  }
  if (frame.low > frame.high) return std::nullopt;
  if (frame.low == frame.high) {
    // A flat curve lies in the middle.
    const double room = std::max(std::abs(frame.low) * 0.1, 1e-6);
    frame.low -= room;
    frame.high += room;
  }
  if (frame.first_step == frame.last_step) ++frame.last_step;
  return frame;
}

// The mean of the points that share a place on the x axis, by place; NaN where there is none.
std::vector<double> means(const std::vector<Point>& points, const Frame& frame, int places,
                          Scale scale) {
  std::vector<double> sums(static_cast<std::size_t>(places));
  std::vector<int> counts(sums.size());
  const auto span = static_cast<double>(frame.last_step - frame.first_step);
  for (const Point& point : points) {
    const double along = static_cast<double>(point.step - frame.first_step) / span;
    const auto place = static_cast<std::size_t>(std::lround(along * (places - 1)));
    sums[place] += scaled(point.loss, scale);
    ++counts[place];
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    sums[i] = counts[i] == 0 ? std::nan("") : sums[i] / counts[i];
  }
  return sums;
}

int height_of(double y, const Frame& frame, int places) {
  const double down = (frame.high - y) / (frame.high - frame.low);
  return static_cast<int>(std::lround(std::clamp(down, 0.0, 1.0) * (places - 1)));
}

void draw_training(Canvas& canvas, const std::vector<double>& curve, const Frame& frame) {
  int last_x = -1;
  int last_y = 0;
  for (int x = 0; x < static_cast<int>(curve.size()); ++x) {
    const double y = curve[static_cast<std::size_t>(x)];
    if (std::isnan(y)) continue;
    const int down = height_of(y, frame, canvas.dots_down());
    if (last_x < 0) {
      canvas.dot(x, down);
    } else {
      canvas.line(last_x, last_y, x, down);
    }
    last_x = x;
    last_y = down;
  }
}

void draw_validation(Canvas& canvas, const std::vector<double>& curve, const Frame& frame,
                     int rows) {
  int last_marked = -kMarkEvery;
  for (int column = 0; column < static_cast<int>(curve.size()); ++column) {
    const double y = curve[static_cast<std::size_t>(column)];
    if (std::isnan(y) || column - last_marked < kMarkEvery) continue;
    canvas.mark(column, height_of(y, frame, rows), "o");
    last_marked = column;
  }
}

std::string label(double loss) {
  char text[32];
  std::snprintf(text, sizeof(text), loss >= 1000 || loss < 0.001 ? "%.1e" : "%.3f", loss);
  return text;
}

std::string x_axis(const Look& look, int columns) {
  std::string text = std::string(kLabelColumns, ' ') + (look.unicode ? "└" : "+");
  for (int i = 0; i < columns; ++i) text += look.unicode ? "─" : "-";
  return painted(look, Ink::kDim, text);
}

std::string x_labels(const Look& look, const Frame& frame, int columns) {
  const std::string first = count_text(frame.first_step);
  const std::string last = "step " + count_text(frame.last_step);
  const int room = columns - columns_of(first) - columns_of(last);
  const std::string gap(static_cast<std::size_t>(std::max(room, 1)), ' ');
  const std::string text = std::string(kLabelColumns + 1, ' ') + first + gap + last;
  return painted(look, Ink::kDim, clipped(text, kLabelColumns + 1 + columns, look.unicode));
}

std::string legend(const Look& look, Scale scale, bool validation) {
  std::string text = std::string(kLabelColumns + 1, ' ') +
                     painted(look, Ink::kCyan, look.unicode ? "⠒⠒" : "..") + " training loss";
  if (validation) text += "   " + painted(look, Ink::kYellow, "o") + " validation loss";
  return text + (scale == Scale::kLog ? "   (log scale)" : "");
}

std::string row_text(const std::vector<Canvas::Cell>& cells, const Look& look) {
  std::string text;
  std::string piece;
  bool marked = false;
  const auto flush = [&] {
    const bool blank = piece.find_first_not_of(' ') == std::string::npos;
    text += blank ? piece : painted(look, marked ? Ink::kYellow : Ink::kCyan, piece);
    piece.clear();
  };
  for (const Canvas::Cell& cell : cells) {
    if (cell.marked != marked) flush();
    marked = cell.marked;
    piece += cell.character;
  }
  flush();
  if (!look.color) text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

}  // namespace

std::vector<std::string> plot(const Curves& curves, PlotSize size, Scale scale, const Look& look) {
  const Curves kept{drawable(curves.training, scale), drawable(curves.validation, scale)};
  const std::optional<Frame> frame = frame_of(kept, scale);
  const int columns = size.columns - kLabelColumns - 1;
  const int rows = size.rows - kRowsBelow;
  if (!frame) return {"no loss has been recorded yet"};
  if (columns < 8 || rows < 2) return {"no room for a plot"};

  Canvas canvas(columns, rows, look.unicode);
  draw_training(canvas, means(kept.training, *frame, canvas.dots_across(), scale), *frame);
  draw_validation(canvas, means(kept.validation, *frame, columns, scale), *frame, rows);
  const auto cells = canvas.cells();

  std::vector<std::string> lines;
  for (int row = 0; row < rows; ++row) {
    const bool labelled = row % 4 == 0 || row == rows - 1;
    const double y = frame->high - (frame->high - frame->low) * row / (rows - 1);
    const bool crowded = row % 4 == 0 && row != rows - 1 && rows - 1 - row < 2;
    const std::string left = labelled && !crowded
                                 ? padded_left(label(unscaled(y, scale)), kLabelColumns - 1) +
                                       (look.unicode ? " ┤" : " +")
                                 : std::string(kLabelColumns, ' ') + (look.unicode ? "│" : "|");
    lines.push_back(painted(look, Ink::kDim, left) +
                    row_text(cells[static_cast<std::size_t>(row)], look));
  }
  lines.push_back(x_axis(look, columns));
  lines.push_back(x_labels(look, *frame, columns));
  lines.push_back(legend(look, scale, !kept.validation.empty()));
  for (std::string& line : lines) line = fitted(line, size.columns, look.unicode);
  return lines;
}

}  // namespace traind
