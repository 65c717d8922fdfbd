// The table of this instruction set's functions. Included by kernels_*.cc only.
#pragma once

#include "model/backend/cpu/kernels/float32.h"
#include "model/backend/cpu/kernels/gates.h"
#include "model/backend/cpu/kernels/rows.h"
#include "model/backend/cpu/kernels/tiles.h"

namespace traind::cpu {
namespace {

// Products with the operands of `Math`; see tiles.h.
template <class Math>
constexpr Kernels table_named(const char* name) {
  Kernels k{};
  k.name = name;
  k.panel = kPanel;
  k.round_bytes = sizeof(typename Math::Rounded);
  k.pack = pack<Math>;
  k.multiply = multiply<Math>;
  k.multiply_outer = multiply_outer<Math>;
  k.outer_scratch = outer_scratch;
  k.add_column_sums = add_column_sums<Math, float>;
  k.round = Math::round;
  k.add_rounded = add_rounded<Math>;
  k.add_rounded_column_sums = add_rounded_column_sums<Math>;
  k.lstm_step = lstm_step;
  k.lstm_step_back = lstm_step_back;
  k.gru_step = gru_step;
  k.gru_step_back = gru_step_back;
  k.softmax = softmax;
  k.scale = scale;
  k.dot = dot;
  k.tanh = tanh_row;
  k.sigmoid = sigmoid_row;
  k.exp = exp_row;
  k.tanh_back = tanh_back;
  k.add = add;
  k.drop = drop;
  k.mask = mask;
  k.square_sum = square_sum;
  k.adam = adam;
  k.sgd = sgd;
  return k;
}

}  // namespace
}  // namespace traind::cpu
