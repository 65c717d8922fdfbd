// One fixed pass of numbers through a layer, forwards and for training backwards, for comparing
// cuDNN's algorithms. Holds device memory; lives as long as a trial, on the device's thread.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "model/backend/cuda/gpu/rnn.h"

namespace traind::cuda {

// What a pass wrote, as bytes: y, an LSTM's last c, and for training the gradients of x, first h,
// an LSTM's first c and the weights, these in one order for all algorithms.
using Outcome = std::vector<std::vector<char>>;

// The largest distance between two outcomes of one shape, over their parts, relative to the
// second; both as vectors. Not a number when a part of either is not finite.
double distance(const Outcome& outcome, const Outcome& reference, Type type);

class TrialRun {
 public:
  // Throws Error(kDevice) when there is too little memory.
  TrialRun(Context& context, const LayerShape& shape);

  // Takes memory for `rnn` and puts the weights where it wants them. What was there before an
  // output is written is not a number.
  void prepare(const Rnn& rnn, const Layer::Places& places);
  RnnAnswer queue(const Rnn& rnn);
  // Waits.
  Outcome read(const Layer::Places& places);

 private:
  std::unique_ptr<Scratch> input(std::size_t elements, float scale);
  std::unique_ptr<Scratch> output(std::size_t elements);
  void poison(const Scratch& memory, std::size_t elements);
  void put(const Scratch& memory, const std::vector<char>& bytes);
  std::vector<char> bytes_of(const Scratch& memory, std::size_t elements);

  Context& context_;
  const LayerShape shape_;
  const Type type_;
  const std::size_t places_;                                            // T*B
  const std::size_t state_;                                             // B*H
  const bool has_c_;                                                    // an LSTM
  std::unique_ptr<Scratch> x_, first_h_, first_c_, d_y_, d_last_c_;     // read
  std::unique_ptr<Scratch> y_, last_c_, d_x_, d_first_h_, d_first_c_;   // written
  std::unique_ptr<Scratch> weights_, d_weights_, workspace_, reserve_;  // of the prepared one
  std::size_t weight_bytes_ = 0;
};

}  // namespace traind::cuda
