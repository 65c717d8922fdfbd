// How kernel bodies are written, so that one text runs on a GPU and, in tests, on the host.
//
// A kernel is a plain struct of arguments without padding. It has
//   count()           how many independent items there are,
//   kOneThread        true: operator()(item) is called by one thread for each item;
//                     false: operator()(group, item) is called by all threads of a group for each
//                     item, and they share the work by group.rank() and group.size().
// Members of a group must reach every sum() and highest() together. Sums are in a fixed order.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "model/backend/cuda/array.h"

namespace traind::cuda {

// The largest value seen and where; the first place wins among equals.
struct Highest {
  float value = -INFINITY;
  std::int32_t at = 0x7FFFFFFF;
  TRAIND_HOST_DEVICE void offer(float other, std::int32_t place) {
    if (other > value || (other == value && place < at)) {
      value = other;
      at = place;
    }
  }
};

// A group of one: the host's.
struct Alone {
  TRAIND_HOST_DEVICE int rank() const { return 0; }
  TRAIND_HOST_DEVICE int size() const { return 1; }
  TRAIND_HOST_DEVICE float sum(float value) const { return value; }
  TRAIND_HOST_DEVICE double sum(double value) const { return value; }
  TRAIND_HOST_DEVICE Highest highest(Highest value) const { return value; }
};

}  // namespace traind::cuda
