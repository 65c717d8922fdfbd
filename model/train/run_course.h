// Where a run stands on its way: how many updates an epoch and the run have, what the learning rate
// is, and whether the run is over. Pure functions of run file, state and the epoch's batches.
//
// Safe on any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "model/train/events.h"
#include "model/train/run_file.h"
#include "model/train/train_state.h"

namespace traind {

// An update is made of `accumulate` batches, the last one of an epoch of what is left.
std::int64_t updates_of(const TrainSection& train, std::int64_t batches);

// Updates in the whole run, if its other epochs have as many batches as the one under way.
std::int64_t total_updates(const TrainSection& train, const TrainState& state,
                           std::int64_t batches);

// Of the update with this number, which is one of the epoch under way; 1 for the first of the run.
double rate_of(const RunFile& run, const TrainState& state, std::int64_t update,
               std::int64_t batches);

// Whether a limit of steps or hours is reached, which ends even an epoch under way.
std::optional<EndReason> reached_limit(const TrainSection& train, const TrainState& state,
                                       double trained_seconds);

// Whether the run is over, asked between two epochs.
std::optional<EndReason> reason_to_end(const TrainSection& train, const TrainState& state,
                                       double trained_seconds);

}  // namespace traind
