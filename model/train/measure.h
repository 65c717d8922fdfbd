// What the held-out lines can be judged by: the name of each measure, where its value stands, and
// whether more of it is better. Pure functions; safe on any thread.
#pragma once

#include <cstdint>
#include <span>

#include "model/train/events.h"

namespace traind {

// As the run file writes it, e.g. "character_error_rate".
const char* name_of(Measure measure);

// Of an epoch's results, in the unit of events.h (shares 0..1, BLEU 0..100, loss in nats a token).
double value_of(Measure measure, double valid_loss, const Scores& scores);

// Whether `value` is strictly better than `than`. Loss and the error rates are better when lower,
// the others when higher.
bool better(Measure measure, double value, double than);

// Of the results of the epochs so far, in their order: how many came after the best one. Of equal
// ones the first is the best. 0 for none.
std::int64_t epochs_without_better(Measure measure, std::span<const double> results);

}  // namespace traind
