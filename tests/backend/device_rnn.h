// A recurrent call on a device with its parameters laid out as in reference::RnnCase.
#pragma once

#include <memory>
#include <vector>

#include "model/backend/backend.h"
#include "tests/backend/reference.h"

namespace traind {

// The stack over a row of parameters (or of gradients).
inline RnnStack stack_over(const reference::RnnCase& shape, Tensor row) {
  RnnStack stack;
  stack.cell = shape.cell;
  stack.layers = shape.layers;
  stack.directions = shape.directions;
  stack.input = shape.input;
  stack.hidden = shape.hidden;
  stack.words = shape.words;
  stack.embedding = row.part(0, static_cast<std::size_t>(shape.words) * shape.input);
  const std::size_t gates = shape.gates();
  for (int l = 0; l < shape.layers; ++l) {
    for (int d = 0; d < shape.directions; ++d) {
      std::size_t at = shape.cell_offset(l, d);
      const auto next = [&](std::size_t count) {
        at += count;
        return row.part(at - count, count);
      };
      RnnCell cell;
      cell.weight_ih = next(gates * shape.width_of(l));
      cell.weight_hh = next(gates * shape.hidden);
      cell.bias_ih = next(gates);
      cell.bias_hh = next(gates);
      stack.cells.push_back(cell);
    }
  }
  return stack;
}

// The initial state at the end of such a row; null when the case starts from zero.
inline RnnState initial_over(const reference::RnnCase& shape, Tensor row) {
  if (!shape.initial) return {};
  const std::size_t size = shape.state_size();
  const Tensor h = row.part(shape.state_offset(), size);
  if (shape.cell == CellKind::kGru) return {h, {}};
  return {h, row.part(shape.state_offset() + size, size)};
}

}  // namespace traind
