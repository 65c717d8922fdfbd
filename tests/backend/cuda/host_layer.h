// One direction of one layer over a dense batch, in plain loops: what cuDNN does for the real
// device. Gate sums and the cell state are float32, what is stored has the compute type.
#pragma once

#include <cstddef>
#include <vector>

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
  // What a backward pass carries from step to step.
  struct Carried {
    std::vector<float> d_h, d_c;  // [B,H]; d_c of an LSTM only
    std::vector<float> d_input;   // [G,B,H] of the gates' sums over the input
    std::vector<float> d_state;   // [G,B,H] and of those over the state
    std::vector<float> weights;   // gradients, as places() has them
  };

  std::size_t state() const { return static_cast<std::size_t>(shape_.batch) * shape_.hidden; }
  int gates() const { return gates_of(shape_.cell); }
  std::size_t place(int t, std::size_t b) const {
    return static_cast<std::size_t>(t) * static_cast<std::size_t>(shape_.batch) + b;
  }
  Array at(void* data) const { return {data, type_, 0}; }
  // Element i of the state [B,H] before step t.
  float h_before(const LayerForward& call, int t, std::size_t i) const;
  float c_before(const LayerForward& call, void* reserve, int t, std::size_t i) const;
  // Element i of gate g's sum at step t, with its bias.
  float input_sum(const LayerForward& call, int t, int g, std::size_t i) const;
  float state_sum(const LayerForward& call, int t, int g, std::size_t i) const;
  void lstm_step(const LayerForward& call, void* reserve, int t) const;
  void gru_step(const LayerForward& call, void* reserve, int t) const;
  // From d_h and d_c to d_input and d_state; d_h is left with what passes the products by.
  void lstm_step_back(const LayerForward& forward, int t, Carried& carried) const;
  void gru_step_back(const LayerForward& forward, int t, Carried& carried) const;
  void products_back(const LayerForward& forward, const LayerBackward& call, int t,
                     Carried& carried) const;

  LayerShape shape_;
  Type type_;
  Layer::Places places_;
};

}  // namespace traind::cuda
