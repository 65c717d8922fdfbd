// Projection to the vocabulary, softmax and masked cross entropy in one, on the CPU.
// Called on the backend's thread; waits for the lanes. Throws Error(kDevice) on arguments that
// contradict each other.
#pragma once

#include "model/backend/backend.h"
#include "model/backend/cpu/engine.h"

namespace traind::cpu {

// The sum, with gradients or without.
LossSum loss(Engine& engine, const LossCall& call);

}  // namespace traind::cpu
