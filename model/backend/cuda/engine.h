// What the operations of the CUDA backend share: the device, the recorder of its work, where
// results come back, and memory for intermediate results. Owned by the backend, used by its thread.
#pragma once

#include "model/backend/cuda/device.h"
#include "model/backend/cuda/layers.h"
#include "model/backend/cuda/recorder.h"
#include "model/backend/cuda/region.h"
#include "model/backend/cuda/results.h"

namespace traind::cuda {

struct Engine {
  explicit Engine(const DeviceOptions& options) : device(options) {}

  Device device;
  Recorder recorder{device};
  Results results{device};
  RegionPool rnn_tapes{device};
  RegionPool attention_tapes{device};
  Region rnn_memory{device};        // of a stack's pass without a tape, and of every backward pass
  Region attention_memory{device};  // likewise
  Region loss_memory{device};
  Region update_memory{device};
  Region decode_memory{device};
  Layers layers{device};
};

}  // namespace traind::cuda
