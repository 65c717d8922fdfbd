// What matrix products read and write: float32 tensors in the compute type, and products of them
// said in one line. Used by the operations on the backend's thread; records, does not wait.
#pragma once

#include <cstdint>

#include "model/backend/backend.h"
#include "model/backend/cuda/device.h"
#include "model/backend/cuda/recorder.h"
#include "model/backend/cuda/region.h"

namespace traind::cuda {

// Rows of products and of what lies between them are this many elements apart or a multiple of it:
// 16 bytes in 16 bits, which matrix units want.
constexpr int kPitch = 8;
constexpr int pitch_of(int width) { return (width + kPitch - 1) / kPitch * kPitch; }

// A matrix as it lies in memory: rows `pitch` elements apart and, where there are several of the
// same shape, matrices `stride` elements apart.
struct Matrix {
  Array at;
  int pitch = 0;
  bool transposed = false;  // read by columns; never the result
  std::int64_t stride = 0;
};

struct Extent {
  int m = 0, n = 0, k = 0;
  int count = 1;
  bool accumulate = false;
};

// C [m,n] = or += A [m,k] B [k,n].
Product product_of(const Matrix& a, const Matrix& b, const Matrix& c, const Extent& extent);

inline Array floats_at(float* data) { return {data, Type::kFloat, 0}; }

// Room for a weight of so many elements in the compute type; none where that is float32 anyway.
Array weight_room(Carver& carver, Type type, std::size_t count);
// The weight [rows,width] as products read it: converted into `room`, or where it lies.
Array weight_in(Recorder& recorder, Tensor weight, Array room);

// `to` [rows,width], rows `pitch` apart, from floats [rows,width]; null = zero.
void put_rows(Recorder& recorder, const float* from, const Matrix& to, int rows, int width);
// The same for a sequence [steps,B,width], 0 in the padding whatever lies there.
struct SequenceSize {
  int steps = 0, batch = 0, width = 0;
};
void put_sequence(Recorder& recorder, const float* from, const std::int32_t* lengths,
                  const Matrix& to, const SequenceSize& size);

}  // namespace traind::cuda
