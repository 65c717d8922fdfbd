// Decoding of a batch, built from the forward passes with one step each: greedy, by beam search or
// by drawing tokens.
// Called on the backend's thread; waits for the lanes. Throws Error(kDevice) on arguments that
// contradict each other.
#pragma once

#include <vector>

#include "model/backend/backend.h"
#include "model/backend/cpu/engine.h"

namespace traind::cpu {

std::vector<Decoded> decode(Engine& engine, const DecodeCall& call);

}  // namespace traind::cpu
