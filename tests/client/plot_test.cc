#include "client/plot.h"

#include <cmath>

#include "client/canvas.h"
#include "client/terminal_text.h"
#include "tests/client/golden.h"
#include "tests/client/replies.h"

namespace traind {
namespace {

using test::expect_golden;

Curves curves_of(const v1::ListMetricsResponse& metrics) {
  Curves curves;
  for (const v1::MetricRow& row : metrics.rows()) {
    curves.training.push_back({row.step(), row.loss()});
    curves.validation.push_back({row.step(), row.valid_loss()});
  }
  return curves;
}

std::string text_of(const Curves& curves, PlotSize size, Scale scale, const Look& look) {
  std::string text;
  for (const std::string& line : plot(curves, size, scale, look)) text += line + "\n";
  return text;
}

Look ascii() {
  Look look;
  look.unicode = false;
  return look;
}

Look color() {
  Look look;
  look.color = true;
  return look;
}

TEST(Plot, LossOfARun) {
  const Curves curves = curves_of(test::falling_loss(120));
  expect_golden("plot.txt", text_of(curves, {80, 20}, Scale::kLinear, {}));
  expect_golden("plot_log.txt", text_of(curves, {80, 20}, Scale::kLog, {}));
  expect_golden("plot_ascii.txt", text_of(curves, {80, 20}, Scale::kLinear, ascii()));
  expect_golden("plot_color.txt", text_of(curves, {40, 10}, Scale::kLinear, color()));
}

TEST(Plot, OneRowAndFlatCurvesAreDrawn) {
  expect_golden("plot_one_row.txt",
                text_of(curves_of(test::falling_loss(1)), {40, 10}, Scale::kLinear, {}));
  const Curves flat{{{1, 0.5}, {100, 0.5}}, {}};
  expect_golden("plot_flat.txt", text_of(flat, {40, 10}, Scale::kLinear, {}));
}

TEST(Plot, TrainingAndValidationDifferWithoutColour) {
  const std::string text =
      text_of(curves_of(test::falling_loss(120)), {80, 20}, Scale::kLinear, {});
  EXPECT_NE(text.find("⠒⠒ training loss   o validation loss"), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(Plot, NeedsNothingButAsciiWhenAsked) {
  const std::string text =
      text_of(curves_of(test::falling_loss(120)), {80, 20}, Scale::kLog, ascii());
  for (const char c : text) EXPECT_LT(static_cast<unsigned char>(c), 0x80);
}

TEST(Plot, LeavesOutWhatCannotBeDrawn) {
  Curves curves{{{1, std::nan("")}, {2, INFINITY}}, {}};
  EXPECT_EQ(text_of(curves, {80, 20}, Scale::kLinear, {}), "no loss has been recorded yet\n");
  curves.training.push_back({3, -0.5});
  EXPECT_EQ(text_of(curves, {80, 20}, Scale::kLog, {}), "no loss has been recorded yet\n");
  EXPECT_EQ(plot(curves, {80, 20}, Scale::kLinear, {}).size(), 20u);
}

TEST(Plot, FitsItsSize) {
  const Curves curves = curves_of(test::falling_loss(500));
  for (int columns = 17; columns < 130; ++columns) {
    for (int rows = 5; rows < 40; rows += 3) {
      const auto lines = plot(curves, {columns, rows}, Scale::kLinear, {});
      EXPECT_EQ(lines.size(), static_cast<std::size_t>(rows));
      for (const std::string& line : lines) {
        EXPECT_LE(columns_of(line), columns) << line;
      }
    }
  }
}

TEST(Plot, EveryBrailleDotHasItsBit) {
  Canvas canvas(1, 1, true);
  const char* const expected[2][4] = {{"⠁", "⠂", "⠄", "⡀"}, {"⠈", "⠐", "⠠", "⢀"}};
  for (int x = 0; x < 2; ++x) {
    for (int y = 0; y < 4; ++y) {
      Canvas one(1, 1, true);
      one.dot(x, y);
      canvas.dot(x, y);
      EXPECT_EQ(one.cells()[0][0].character, expected[x][y]);
    }
  }
  EXPECT_EQ(canvas.cells()[0][0].character, "⣿");
}

TEST(Plot, LinesReachBothEndsAndStayInside) {
  Canvas canvas(4, 2, true);
  canvas.line(0, 7, 7, 0);
  const auto cells = canvas.cells();
  EXPECT_EQ(cells[1][0].character, "⡠");
  EXPECT_EQ(cells[0][3].character, "⠊");
  canvas.line(-100, -100, 100, 100);
  canvas.mark(9, 9, "o");
}

}  // namespace
}  // namespace traind
