// The parameters a run starts from.
//
// A pure function of (shape, seed): every tensor is drawn on the host from a stream of its own, so
// the same run starts from the same bits on every device. Safe on any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/nn/parameters.h"

namespace traind {

// Fills `row` (row_size(table) floats); padding becomes 0. The rules stand in initialise.cc.
void draw_parameters(const std::vector<ParameterEntry>& table, std::uint64_t seed,
                     std::span<float> row);

}  // namespace traind
