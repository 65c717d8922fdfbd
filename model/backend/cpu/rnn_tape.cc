#include "model/backend/cpu/rnn.h"

namespace traind::cpu {

Operands RnnTape::h_before(int l, int d) const {
  return {h_before_ + cell(l, d) * rows_floats() * round_bytes,
          static_cast<std::size_t>(size.padded_hidden), round_bytes};
}

Operands RnnTape::inputs(int l) const {
  const auto stride = static_cast<std::size_t>(padded(size.input_of(l)));
  if (l == 0) return {embedded_, stride, round_bytes};
  const std::size_t place = keep ? static_cast<std::size_t>(l - 1) : (l - 1) % 2;
  return {between_ + place * most_rows() * stride * round_bytes, stride, round_bytes};
}

std::uint8_t* RnnTape::kept(int l) const {
  return kept_ + static_cast<std::size_t>(l) * most_rows() * static_cast<std::size_t>(size.memory);
}

void RnnTape::lay_out(Carver& carver) {
  const int layers = keep ? size.layers : 1;
  const std::size_t cells = static_cast<std::size_t>(layers) * size.directions;
  const std::size_t between = size.layers - 1;
  const auto operands = [&](std::size_t count) { return carver.take<char>(count * round_bytes); };
  rows.lay_out(carver);
  ids = carver.take<std::int32_t>(most_rows());
  gates_ = carver.floats(cells * rows_floats() * 4);
  h_before_ = operands(cells * rows_floats());
  state_before_ = carver.floats(cells * rows_floats());
  embedded_ = size.table ? nullptr : operands(most_rows() * padded(size.input));
  // Two are enough when nothing is kept: a layer reads one and writes the other.
  between_ = operands((keep || between < 2 ? between : 2) * most_rows() * padded(size.memory));
  kept_ = dropped ? carver.take<std::uint8_t>(between * most_rows() * size.memory) : nullptr;
}

namespace {

PackSource source_of(const RnnSize& size, const float* weight, int cols, const GateBlocks& blocks,
                     bool forward) {
  return {weight,
          static_cast<std::size_t>(cols),
          blocks.count,
          size.hidden,
          size.padded_hidden,
          cols,
          forward,
          blocks.turn};
}

}  // namespace

PackSource state_source(const RnnSize& size, const RnnCell& cell, bool forward) {
  return source_of(size, cell.weight_hh.data, size.hidden, state_blocks(size.cell), forward);
}

PackSource input_source(const RnnSize& size, const RnnCell& cell, int layer, bool forward) {
  return source_of(size, cell.weight_ih.data, size.input_of(layer), input_blocks(size.cell),
                   forward);
}

}  // namespace traind::cpu
