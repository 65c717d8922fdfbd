#include "model/backend/cpu/rnn.h"

namespace traind::cpu {

float* RnnTape::inputs(int l) const {
  if (l == 0) return embedded_;
  return between_ + (keep ? static_cast<std::size_t>(l - 1) : (l - 1) % 2) * most_rows() *
                        static_cast<std::size_t>(size.memory);
}

std::uint8_t* RnnTape::kept(int l) const {
  return kept_ + static_cast<std::size_t>(l) * most_rows() * static_cast<std::size_t>(size.memory);
}

void RnnTape::lay_out(Carver& carver) {
  const int layers = keep ? size.layers : 1;
  const std::size_t cells = static_cast<std::size_t>(layers) * size.directions;
  const std::size_t between = size.layers - 1;
  const std::size_t width = static_cast<std::size_t>(size.memory);
  rows.lay_out(carver);
  ids = carver.take<std::int32_t>(most_rows());
  gates_ = carver.floats(cells * rows_floats() * 4);
  h_before_ = carver.floats(cells * rows_floats());
  c_before_ = carver.floats(cells * rows_floats());
  embedded_ = size.table ? nullptr : carver.floats(most_rows() * size.input);
  // Two are enough when nothing is kept: a layer reads one and writes the other.
  between_ = carver.floats((keep || between < 2 ? between : 2) * most_rows() * width);
  kept_ = dropped ? carver.take<std::uint8_t>(between * most_rows() * width) : nullptr;
}

PackSource recurrent_source(const RnnSize& size, const RnnCell& cell, bool forward) {
  return {cell.weight_hh.data,
          static_cast<std::size_t>(size.hidden),
          4,
          size.hidden,
          size.padded_hidden,
          size.hidden,
          forward};
}

PackSource input_source(const RnnSize& size, const RnnCell& cell, int layer, bool forward) {
  const int input = size.input_of(layer);
  return {cell.weight_ih.data,
          static_cast<std::size_t>(input),
          4,
          size.hidden,
          size.padded_hidden,
          input,
          forward};
}

}  // namespace traind::cpu
