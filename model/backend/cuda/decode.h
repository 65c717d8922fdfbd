// Decoding of a batch on a GPU. Greedy or drawing, the device chooses, feeds and counts by itself;
// the host looks now and then whether every sentence has ended, and reads the tokens once. With a
// beam the device finds the likeliest tokens of every hypothesis and the host chooses among them,
// which is one round trip a step.
// Called on the backend's thread; waits. Throws Error(kDevice) on arguments that contradict each
// other.
#pragma once

#include <vector>

#include "model/backend/backend.h"
#include "model/backend/cuda/engine.h"

namespace traind::cuda {

std::vector<Decoded> decode(Engine& engine, const DecodeCall& call);

}  // namespace traind::cuda
