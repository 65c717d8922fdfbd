#include "model/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/train/measure.h"

namespace traind {
namespace {

double after_warmup(const TrainSection& train, const ScheduleSection& schedule,
                    const ScheduleMoment& moment) {
  const double base = train.learning_rate;
  const auto update = static_cast<double>(moment.update);
  const auto warmup = static_cast<double>(schedule.warmup_steps);
  switch (schedule.kind) {
    case ScheduleKind::kConstant:
      return base;
    case ScheduleKind::kInverseSqrt:
      return base * std::sqrt(warmup / update);
    case ScheduleKind::kCosine: {
      const std::int64_t last =
          schedule.decay_steps > 0 ? schedule.decay_steps : moment.total_updates;
      const double span = std::max(1.0, static_cast<double>(last) - warmup);
      const double part = std::min(1.0, (update - warmup) / span);
      const double floor = std::min(schedule.floor, base);
      return floor + (base - floor) * (1 + std::cos(std::numbers::pi * part)) / 2;
    }
    case ScheduleKind::kPlateau:
      return base * std::pow(schedule.factor, static_cast<double>(plateaus(
                                                  train.best, schedule.patience, moment.results)));
  }
  return base;
}

}  // namespace

double learning_rate(const TrainSection& train, const ScheduleSection& schedule,
                     const ScheduleMoment& moment) {
  const double base = train.learning_rate;
  if (moment.update < schedule.warmup_steps) {
    return base * static_cast<double>(moment.update) / static_cast<double>(schedule.warmup_steps);
  }
  return std::max(after_warmup(train, schedule, moment), std::min(schedule.floor, base));
}

std::int64_t plateaus(Measure measure, int patience, std::span<const double> results) {
  std::int64_t count = 0;
  int worse = 0;
  for (std::size_t i = 1, best = 0; i < results.size(); ++i) {
    if (better(measure, results[i], results[best])) {
      best = i;
      worse = 0;
    } else if (++worse == patience) {
      ++count;
      worse = 0;
    }
  }
  return count;
}

}  // namespace traind
