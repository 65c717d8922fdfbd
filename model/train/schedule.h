// The learning rate of an update, as the run file's [schedule] says: pure functions of its number
// and of the epochs' results, so that a resumed run goes on with the rates it would have had.
//
// Safe on any thread.
#pragma once

#include <cstdint>
#include <span>

#include "model/train/run_file.h"

namespace traind {

struct ScheduleMoment {
  std::int64_t update = 1;          // 1 for the first of the run
  std::int64_t total_updates = 0;   // of the whole run, as far as is known now
  std::span<const double> results;  // value of train.best after each epoch so far, in their order
};

// With base = train.learning_rate, w = warmup_steps and n = the update:
//   warm-up       base * n / w as long as n <= w, with every kind
//   constant      base
//   inverse_sqrt  base * sqrt(w / n) (Vaswani et al., 2017, section 5.3, with base at its peak)
//   cosine        floor + (base - floor) * (1 + cos(pi * t)) / 2, t = (n - w) / (d - w), at most 1;
//                 d = decay_steps, or all of the run (Loshchilov and Hutter, 2017, equation 5,
//                 without restarts)
//   plateau       base * factor^k, k = plateaus(results)
// After the warm-up no rate is below the floor.
double learning_rate(const TrainSection& train, const ScheduleSection& schedule,
                     const ScheduleMoment& moment);

// How often the rate was lowered: each time `patience` epochs in a row brought nothing better than
// the best before them. The count begins anew each time.
std::int64_t plateaus(Measure measure, int patience, std::span<const double> results);

}  // namespace traind
