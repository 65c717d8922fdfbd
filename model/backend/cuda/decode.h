// Greedy decoding of a batch on a GPU. The device chooses, feeds and counts by itself; the host
// looks now and then whether every sentence has ended, and reads the tokens once.
// Called on the backend's thread; waits. Throws Error(kDevice) on arguments that contradict each
// other.
#pragma once

#include <vector>

#include "model/backend/backend.h"
#include "model/backend/cuda/engine.h"

namespace traind::cuda {

std::vector<Decoded> decode(Engine& engine, const DecodeCall& call);

}  // namespace traind::cuda
