// One direction of one LSTM layer over a dense batch, in plain loops: what cuDNN does for the real
// device. Gate sums and the cell state are float32, what is stored has the compute type.
#pragma once

#include <cstddef>

#include "model/backend/cuda/device.h"

namespace traind::cuda {

class HostLayer {
 public:
  HostLayer(const LayerShape& shape, Type type);
  const Layer::Places& places() const { return places_; }
  std::size_t reserve_bytes() const;
  void forward(const LayerForward& call) const;
  void backward(const LayerForward& forward, const LayerBackward& call) const;

 private:
  struct Step;
  std::size_t state() const { return static_cast<std::size_t>(shape_.batch) * shape_.hidden; }

  LayerShape shape_;
  Type type_;
  Layer::Places places_;
};

}  // namespace traind::cuda
