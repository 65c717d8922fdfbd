// The points of the loss curve and the scale they are drawn on.
//
// Values and pure functions; safe on any thread.
#pragma once

#include <string>
#include <vector>

#include "notifier/report.h"

namespace traind {

struct LossPoint {
  double epoch = 0;  // 2.5 = halfway through the third
  double loss = 0;
};

// Only finite losses; a curve of its own for training and for validation.
struct LossSeries {
  std::vector<LossPoint> train;  // one an epoch
  std::vector<LossPoint> valid;
  std::vector<LossPoint> train_rows;  // within the newest epoch, thinned out
  std::vector<LossPoint> valid_rows;

  // Enough finished epochs for a curve of their means; before that the batches are the curve.
  bool is_by_epoch() const { return train.size() > 1 && valid.size() > 1; }
};

LossSeries loss_series_of(const Report& report);

struct Tick {
  double value = 0;
  std::string label;
};

// From low to high, linear, or logarithmic where the losses span more than a factor of ten.
struct LossAxis {
  double low = 0;
  double high = 1;
  bool logarithmic = false;
  std::vector<Tick> ticks;

  // 0 at low, 1 at high.
  double share(double loss) const;
};

// Wants at least one point.
LossAxis loss_scale_for(const LossSeries& series);

// From `first` to `last`, at most about ten: whole epochs, or the quarters of a single one.
std::vector<Tick> epoch_ticks(double first, double last);

}  // namespace traind
