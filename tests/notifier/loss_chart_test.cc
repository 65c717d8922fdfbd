#include "notifier/loss_chart.h"

#include <gtest/gtest.h>

#include <limits>

#include "notifier/loss_series.h"
#include "tests/notifier/sample_reports.h"

namespace traind {
namespace {

bool is_png(const std::string& bytes) { return bytes.rfind("\x89PNG\r\n\x1a\n", 0) == 0; }

// Big-endian number in the header chunk: width at 16, height at 20 (PNG, 11.2.2).
int number_at(const std::string& png, std::size_t at) {
  int number = 0;
  for (std::size_t i = at; i < at + 4; ++i) number = number << 8 | (png[i] & 0xFF);
  return number;
}

TEST(LossChart, IsATwofoldPng) {
  const std::string png = loss_chart_png(sample_report(ReportKind::kEpoch));
  ASSERT_TRUE(is_png(png));
  EXPECT_EQ(number_at(png, 16), 1200);
  EXPECT_EQ(number_at(png, 20), 600);
  EXPECT_EQ(png[25], 2) << "colour without an alpha channel";
  EXPECT_LT(png.size(), 80'000U);
}

TEST(LossChart, ShowsTheBatchesOfAFirstEpoch) {
  Report report = sample_report(ReportKind::kEpoch);
  report.epochs.resize(1);
  EXPECT_TRUE(is_png(loss_chart_png(report)));
  report.epochs.clear();
  EXPECT_TRUE(is_png(loss_chart_png(report)));
}

TEST(LossChart, IsLeftOutWithNothingToJoin) {
  Report report = sample_report(ReportKind::kEpoch);
  report.rows.resize(1);
  report.epochs.resize(1);
  EXPECT_EQ(loss_chart_png(report), "");
  EXPECT_EQ(loss_chart_png(Report{}), "");
}

TEST(LossChart, PassesOverLossesThatAreNotFinite) {
  Report report = sample_report(ReportKind::kFailure);
  report.rows.back().loss = std::numeric_limits<double>::quiet_NaN();
  report.rows.front().valid_loss = std::numeric_limits<double>::infinity();
  const LossSeries series = loss_series_of(report);
  EXPECT_EQ(series.train_rows.size(), report.rows.size() - 1);
  EXPECT_EQ(series.valid_rows.size(), report.rows.size() - 1);
  EXPECT_TRUE(is_png(loss_chart_png(report)));
}

TEST(LossChart, ThinsALongEpochOut) {
  Report report = sample_report(ReportKind::kEpoch);
  report.rows.assign(32453, report.rows.front());
  EXPECT_LE(loss_series_of(report).train_rows.size(), 400U);
}

TEST(LossChart, HoldsExtremeLosses) {
  for (const double loss : {0.0, -1.0, 1e-300, 1e300, 5.0}) {
    Report report = sample_report(ReportKind::kEpoch);
    for (EpochDone& done : report.epochs) done.train_loss = done.valid_loss = loss;
    for (MetricRow& row : report.rows) row.loss = row.valid_loss = loss;
    EXPECT_TRUE(is_png(loss_chart_png(report))) << loss;
    report.epochs.back().valid_loss = 1;
    EXPECT_TRUE(is_png(loss_chart_png(report))) << loss;
  }
}

TEST(LossAxis, IsLogarithmicOverMoreThanATenth) {
  LossSeries series;
  series.train = {{1, 2.0}, {2, 0.3}};
  EXPECT_FALSE(loss_scale_for(series).logarithmic);
  series.train = {{1, 2.0}, {2, 0.1}};
  const LossAxis scale = loss_scale_for(series);
  EXPECT_TRUE(scale.logarithmic);
  EXPECT_GT(scale.share(0.1), 0);
  EXPECT_LT(scale.share(2.0), 1);
}

TEST(LossAxis, HasAHandfulOfRoundTicks) {
  for (const double high : {0.0123, 0.7, 3.0, 45.0, 12000.0}) {
    LossSeries series;
    series.train = {{1, high}, {2, high / 5}};
    const LossAxis scale = loss_scale_for(series);
    EXPECT_GE(scale.ticks.size(), 3U) << high;
    EXPECT_LE(scale.ticks.size(), 8U) << high;
    EXPECT_LE(scale.share(high), 1) << high;
    EXPECT_GE(scale.share(high / 5), 0) << high;
    for (const Tick& tick : scale.ticks) EXPECT_LE(tick.label.size(), 6U) << tick.label;
  }
}

TEST(LossAxis, CountsEpochsInWholeSteps) {
  EXPECT_EQ(epoch_ticks(1, 7).size(), 7U);
  EXPECT_LE(epoch_ticks(0, 1000).size(), 11U);
  EXPECT_EQ(epoch_ticks(0, 1).front().label, "0");
}

TEST(LossChart, IsToldInWords) {
  EXPECT_EQ(loss_chart_words(small_report(ReportKind::kEpoch)),
            "Loss by epoch. Training: 0.5378. Validation: 0.5633.");
}

}  // namespace
}  // namespace traind
