#include "model/backend/cuda/operands.h"

#include "model/backend/cuda/kernels/rows.h"

namespace traind::cuda {

Product product_of(const Matrix& a, const Matrix& b, const Matrix& c, const Extent& extent) {
  Product product;
  product.a = a.at;
  product.b = b.at;
  product.c = c.at;
  product.m = extent.m;
  product.n = extent.n;
  product.k = extent.k;
  product.lda = a.pitch;
  product.ldb = b.pitch;
  product.ldc = c.pitch;
  product.a_transposed = a.transposed ? 1 : 0;
  product.b_transposed = b.transposed ? 1 : 0;
  product.a_stride = a.stride;
  product.b_stride = b.stride;
  product.c_stride = c.stride;
  product.count = extent.count;
  product.accumulate = extent.accumulate ? 1 : 0;
  return product;
}

Array weight_room(Carver& carver, Type type, std::size_t count) {
  if (type == Type::kFloat) return {};
  return carver.array(type, count);
}

Array weight_in(Recorder& recorder, Tensor weight, Array room) {
  if (!room) return floats_at(weight.data);
  ConvertedWeight in;
  in.from = weight.data;
  in.to = room;
  in.size = weight.size;
  recorder.launch(in);
  return room;
}

void put_rows(Recorder& recorder, const float* from, const Matrix& to, int rows, int width) {
  put_sequence(recorder, from, nullptr, to, {1, rows, width});
}

void put_sequence(Recorder& recorder, const float* from, const std::int32_t* lengths,
                  const Matrix& to, const SequenceSize& size) {
  RowsIn in;
  in.from = from;
  in.lengths = lengths;
  in.to = to.at;
  in.steps = size.steps;
  in.batch = size.batch;
  in.width = size.width;
  in.pitch = to.pitch;
  recorder.launch(in);
}

}  // namespace traind::cuda
