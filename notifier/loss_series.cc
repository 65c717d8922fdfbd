#include "notifier/loss_series.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "notifier/figures.h"

namespace traind {
namespace {

// More points than this are closer together than the picture's pixels.
constexpr std::size_t kRowsDrawn = 400;

void add_finite(std::vector<LossPoint>& points, double epoch, double loss) {
  if (std::isfinite(epoch) && std::isfinite(loss)) points.push_back({epoch, loss});
}

// Means of neighbours, so that a long epoch stays a line and not a smear.
std::vector<LossPoint> thinned(const std::vector<LossPoint>& points) {
  const std::size_t group = (points.size() + kRowsDrawn - 1) / kRowsDrawn;
  if (group <= 1) return points;
  std::vector<LossPoint> means;
  for (std::size_t begin = 0; begin < points.size(); begin += group) {
    const std::size_t end = std::min(begin + group, points.size());
    LossPoint mean;
    for (std::size_t i = begin; i < end; ++i) {
      mean.epoch += points[i].epoch;
      mean.loss += points[i].loss;
    }
    const double count = static_cast<double>(end - begin);
    means.push_back({mean.epoch / count, mean.loss / count});
  }
  return means;
}

// 1, 2 or 5 times a power of ten: the smallest that is at least `wanted`.
double round_step(double wanted) {
  const double power = std::pow(10.0, std::floor(std::log10(wanted)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= wanted * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

LossAxis linear_scale(double low, double high) {
  LossAxis scale;
  // Close together: the axis may start above zero, so that movement can be seen.
  const double from = low > 0 && high < 2 * low ? low : std::min(0.0, low);
  const double span = std::max(high - from, std::max(1e-6, std::fabs(high) * 1e-6));
  const double step = round_step(span / 5);
  scale.low = std::floor(from / step + 1e-9) * step;
  scale.high = std::ceil(high / step - 1e-9) * step;
  if (!(scale.high > scale.low)) scale.high = scale.low + step;
  const int count = static_cast<int>(std::lround((scale.high - scale.low) / step));
  for (int i = 0; i <= count; ++i) {
    const double value = scale.low + i * step;
    scale.ticks.push_back({value, short_number(std::fabs(value) < step / 2 ? 0 : value)});
  }
  return scale;
}

LossAxis logarithmic_scale(double low, double high) {
  LossAxis scale;
  scale.logarithmic = true;
  scale.low = low / 1.15;
  scale.high = high * 1.15;
  // All of 1, 2, 5 while there is room, else the powers of ten, else every few of them.
  const double decades = std::log10(scale.high / scale.low);
  const int stride = std::max(1, static_cast<int>(std::ceil(decades / 8)));
  for (int power = static_cast<int>(std::floor(std::log10(scale.low)));
       std::pow(10.0, power) <= scale.high; ++power) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (factor > 1 && decades > 2.5) break;
      if (power % stride != 0) break;
      const double value = factor * std::pow(10.0, power);
      if (value >= scale.low && value <= scale.high) {
        scale.ticks.push_back({value, short_number(value)});
      }
    }
  }
  return scale;
}

}  // namespace

LossSeries loss_series_of(const Report& report) {
  LossSeries series;
  for (const EpochDone& done : report.epochs) {
    add_finite(series.train, done.epoch, done.train_loss);
    add_finite(series.valid, done.epoch, done.valid_loss);
  }
  for (const MetricRow& row : report.rows) {
    if (row.batches_per_epoch <= 0) continue;
    const double share =
        static_cast<double>(row.batch) / static_cast<double>(row.batches_per_epoch);
    add_finite(series.train_rows, row.epoch - 1 + share, row.loss);
    add_finite(series.valid_rows, row.epoch - 1 + share, row.valid_loss);
  }
  series.train_rows = thinned(series.train_rows);
  series.valid_rows = thinned(series.valid_rows);
  return series;
}

double LossAxis::share(double loss) const {
  if (logarithmic) return std::log(loss / low) / std::log(high / low);
  return (loss - low) / (high - low);
}

LossAxis loss_scale_for(const LossSeries& series) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const auto* points :
       {&series.train, &series.valid, &series.train_rows, &series.valid_rows}) {
    for (const LossPoint& point : *points) {
      low = std::min(low, point.loss);
      high = std::max(high, point.loss);
    }
  }
  return low > 0 && high > 10 * low ? logarithmic_scale(low, high) : linear_scale(low, high);
}

std::vector<Tick> epoch_ticks(double first, double last) {
  std::vector<Tick> ticks;
  constexpr double kQuarter = 0.25;  // within a single epoch
  const double span = last - first;
  const double step = span <= 1 ? kQuarter : std::max(1.0, round_step(span / 10));
  for (double epoch = std::ceil(first / step - 1e-9) * step; epoch <= last + 1e-9; epoch += step) {
    ticks.push_back({epoch, short_number(std::fabs(epoch) < step / 2 ? 0 : epoch)});
  }
  return ticks;
}

}  // namespace traind
