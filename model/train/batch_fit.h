// The largest batch that a device's memory holds, found by trying.
//
// Used once, before the model of the run exists: each try has a device, a model and made-up
// sentences of its own, and leaves nothing behind. Waits for the device, once for each try.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "model/backend/backend.h"
#include "model/data/batches.h"
#include "model/nn/sequence_model.h"

namespace traind {

// Beyond it no GPU gets faster by an example, and each example teaches less.
inline constexpr int kLargestFit = 4096;

struct FitQuestion {
  ModelShape shape;
  Optimizer optimizer = Optimizer::kAdam;
  ExampleSteps steps;         // of the longest example
  std::int64_t examples = 1;  // to train on; a batch above it would never be full
  std::function<std::unique_ptr<Backend>()> make_device;
  std::function<void()> on_try;  // before each try; may throw to give up
};

// A whole training step fits with a tenth more sentences than the answer (which 8 alone goes
// without). A multiple of 8, at most kLargestFit. Throws Error(kDevice) when not even 8 fit, and
// what make_device throws.
int largest_batch(const FitQuestion& question);

}  // namespace traind
