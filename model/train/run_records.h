// What the trainer tells, put together from what it knows: pure functions, trainer's thread.
#pragma once

#include <cstdint>

#include "model/train/events.h"
#include "model/train/held_out.h"
#include "model/train/pace.h"
#include "model/train/preparation.h"
#include "model/train/train_state.h"

namespace traind {

// `batches` of the epoch under way.
RunStarted started_record(const Preparation& ready, std::int64_t batches);
// The checkpoint that the run goes on from, as if it were saved now; what its saving took is 0.
CheckpointSaved resumed_record(const Preparation& ready);

// Of the updates summed up in state.row. Without gauges.
MetricRow row_record(const TrainState& state, std::int64_t batches, double valid_loss, double rate,
                     const Pace& pace);

// Of the epoch under way, whose result state.results does not have yet. Its digest is known when
// its checkpoint is durable.
EpochDone epoch_record(const RunFile& run, const TrainState& state, const Validation& validation,
                       double rate, const Pace& pace);

}  // namespace traind
