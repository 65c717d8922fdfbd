// Which of cuDNN's algorithms a layer of one shape uses: all are tried on the device itself.
//
// Dropped are those that cuDNN does not support for the shape, that cannot be part of a graph, or
// whose results differ from the standard algorithm's by more than rounding. Of the others the
// fastest one wins. In the deterministic mode it is the first in a fixed order that gives equal
// bits every time: the fastest may be another one after a resume, and another one rounds otherwise.
#pragma once

#include <memory>
#include <string>

#include "model/backend/cuda/gpu/rnn.h"

namespace traind::cuda {

struct TriedLayer {
  std::unique_ptr<Rnn> rnn;
  Layer::Places places;
  std::string choice;  // what was chosen and why, in words
};

// Waits. Throws Error(kDevice) when nothing works.
TriedLayer try_layer(Context& context, const LayerShape& shape);

}  // namespace traind::cuda
