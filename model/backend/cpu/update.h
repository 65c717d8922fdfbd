// Clipping to a global norm, loss scaling and the optimizers over one flat row, on the CPU.
// Called on the backend's thread; waits for the lanes. Throws Error(kDevice) when sizes differ.
#pragma once

#include "model/backend/backend.h"
#include "model/backend/cpu/engine.h"

namespace traind::cpu {

// All of the result but the loss.
StepResult update(Engine& engine, const UpdateStep& step);

}  // namespace traind::cpu
