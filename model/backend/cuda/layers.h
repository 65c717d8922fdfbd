// The recurrent layers of every shape met so far, each made once: making one means trying out
// which algorithm is fastest. What was chosen goes to standard error, which is the worker's log.
// Owned by the backend, used by its thread.
#pragma once

#include <cstdio>
#include <map>
#include <memory>

#include "model/backend/cuda/device.h"

namespace traind::cuda {

class Layers {
 public:
  explicit Layers(Device& device) : device_(device) {}

  // Waits when the shape is new. Valid as long as this object.
  const Layer& of(const LayerShape& shape) {
    std::unique_ptr<Layer>& layer = known_[shape];
    if (!layer) {
      layer = std::make_unique<Layer>(device_, shape);
      if (!layer->choice().empty()) {
        std::fprintf(stderr, "%s layer [T %d, B %d, I %d, H %d%s]: %s\n",
                     shape.cell == CellKind::kLstm ? "LSTM" : "GRU", shape.steps, shape.batch,
                     shape.input, shape.hidden, shape.training ? "" : ", inference",
                     layer->choice().c_str());
      }
    }
    return *layer;
  }

 private:
  Device& device_;
  std::map<LayerShape, std::unique_ptr<Layer>> known_;
};

}  // namespace traind::cuda
