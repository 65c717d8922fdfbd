// Clipping to a global norm, loss scaling and the optimizers over one flat row, on a GPU.
// Called on the backend's thread; starts everything recorded and does not wait. Throws
// Error(kDevice) when sizes differ or when too many results wait to be taken.
#pragma once

#include "model/backend/backend.h"
#include "model/backend/cuda/engine.h"

namespace traind::cuda {

void update(Engine& engine, const UpdateStep& step);

}  // namespace traind::cuda
