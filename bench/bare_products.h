// What a training step costs when it is nothing but its matrix products: the bound that the whole
// step is held to.
//
// Runs on compute threads of its own, which wait for work when not asked. To be measured in turn
// with what it is compared with: a shared machine moves from minute to minute.
#pragma once

#include <memory>

#include "model/backend/backend.h"

namespace traind {

// An encoder and a decoder of LSTM layers in one direction, S = T, and the output layer. Every
// token is projected (no table of the vocabulary); no attention.
struct ProductShape {
  int layers = 2;       // of each side
  int hidden = 512;     // H
  int embedding = 512;  // I of layer 0
  int batch = 128;      // B
  int steps = 40;       // T
  int words = 100;      // V of the output layer
};

class BareProducts {
 public:
  // Weights are packed here, once. kFp32 or kBf16; `threads` 0 = one per core the process may use.
  // Throws Error(kDevice) where the processor lacks the instructions.
  BareProducts(const ProductShape& shape, Precision precision, int threads);
  ~BareProducts();

  // All products of one step with the backend's kernels, cut as the backend cuts them. Seconds.
  double run();
  // 1e9 operations of one run, a multiply-add being two.
  double gflop() const;

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

}  // namespace traind
