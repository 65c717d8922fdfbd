// Rows in and out of the compute type, and the softmax of a row, as several operations need them.
// Shapes as in model/backend/backend.h.
#pragma once

#include "model/backend/cuda/kernels/group.h"

namespace traind::cuda {

// A sequence of floats into the compute type, 0 past each sentence's end.
struct RowsIn {
  static constexpr const char* kName = "rows_in";
  static constexpr bool kOneThread = true;
  const float* from = nullptr;            // [T,B,W]; null = zero
  const std::int32_t* lengths = nullptr;  // [B]; null = no padding
  Array to;                               // [T,B,W], rows `pitch` apart, written
  std::int32_t steps = 0, batch = 0, width = 0, pitch = 0;

  std::size_t count() const { return static_cast<std::size_t>(steps) * batch * width; }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const std::size_t row = item / width;
    const auto b = static_cast<std::int32_t>(row % batch);
    const auto t = static_cast<std::int32_t>(row / batch);
    const bool inside = from != nullptr && (lengths == nullptr || t < lengths[b]);
    to.set(row * pitch + item % width, inside ? from[item] : 0);
  }
};

// A weight into the compute type.
struct ConvertedWeight {
  static constexpr const char* kName = "converted_weight";
  static constexpr bool kOneThread = true;
  const float* from = nullptr;
  Array to;  // written
  std::size_t size = 0;

  std::size_t count() const { return size; }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const { to.set(item, from[item]); }
};

// A row of ones: its product with a matrix is the sum of the matrix' rows.
struct Ones {
  static constexpr const char* kName = "ones";
  static constexpr bool kOneThread = true;
  Array to;  // written
  std::size_t size = 0;

  std::size_t count() const { return size; }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const { to.set(item, 1); }
};

// What a softmax needs of its row: exp(x - highest) / sum.
struct Softmax {
  Highest highest;
  float sum = 0;
};

// Of x(0) .. x(size-1); every member of the group gets it.
template <class Group, class Row>
TRAIND_HOST_DEVICE Softmax softmax_of(const Group& group, std::int32_t size, const Row& x) {
  Softmax softmax;
  for (std::int32_t i = group.rank(); i < size; i += group.size()) softmax.highest.offer(x(i), i);
  softmax.highest = group.highest(softmax.highest);
  float sum = 0;
  for (std::int32_t i = group.rank(); i < size; i += group.size()) {
    sum += std::exp(x(i) - softmax.highest.value);
  }
  softmax.sum = group.sum(sum);
  return softmax;
}

}  // namespace traind::cuda
