// The table of this instruction set's functions. Included by kernels_*.cc only.
#pragma once

#include "model/backend/cpu/kernels/gates.h"
#include "model/backend/cpu/kernels/rows.h"
#include "model/backend/cpu/kernels/tiles.h"

namespace traind::cpu {
namespace {

constexpr Kernels table_named(const char* name) {
  Kernels k{};
  k.name = name;
  k.panel = kPanel;
  k.pack = pack;
  k.multiply = multiply;
  k.multiply_outer = multiply_outer;
  k.outer_scratch = outer_scratch;
  k.add_column_sums = add_column_sums;
  k.gate_step = gate_step;
  k.gate_step_back = gate_step_back;
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
  return k;
}

}  // namespace
}  // namespace traind::cpu
