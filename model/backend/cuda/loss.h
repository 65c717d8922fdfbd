// Projection to the vocabulary and masked cross entropy, forward and backward in one, on a GPU.
// Called on the backend's thread. With gradients it records and does not wait; evaluating only, it
// waits. Throws Error(kDevice) on arguments that contradict each other.
#pragma once

#include "model/backend/backend.h"
#include "model/backend/cuda/engine.h"

namespace traind::cuda {

// With gradients the sum joins the next take_result(), and {} is returned.
LossSum loss(Engine& engine, const LossCall& call);

}  // namespace traind::cuda
