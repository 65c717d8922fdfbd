// How a loss scale follows the gradients it meets, for every backend alike.
// Pure; the same code on host and device.
#pragma once

#include "model/backend/backend.h"

namespace traind {

// `scale` [2] as in LossCall, after an update whose gradient norm was finite or not.
TRAIND_HOST_DEVICE inline void follow_norm(float* scale, bool finite) {
  if (!finite) {
    scale[0] = scale[0] > 2 ? scale[0] / 2 : 1;
    scale[1] = 0;
    return;
  }
  scale[1] += 1;
  if (scale[1] < static_cast<float>(LossScale::kGrowthInterval)) return;
  const float doubled = scale[0] * 2;
  scale[0] = doubled < LossScale::kLargest ? doubled : LossScale::kLargest;
  scale[1] = 0;
}

}  // namespace traind
