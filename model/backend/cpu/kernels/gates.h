// The LSTM cell between the matrix products, forward and backward, gates in the order i f g o.
// Included by kernels_*.cc only, once per instruction set. Rows are padded, so no tails here
// except at the unpadded gradient that comes from outside.
#pragma once

#include "model/backend/cpu/kernels/kernels.h"
#include "model/backend/cpu/kernels/simd.h"

namespace traind::cpu {
namespace {

void gate_step(const GateStep& s) {
  const std::ptrdiff_t n = s.padded_hidden;
  for (std::ptrdiff_t j = 0; j < n; j += kLanes) {
    float* gate = s.gates + j;
    const float* bias = s.bias + j;
    const Vec i = sigmoid_of(load(gate) + load(bias));
    const Vec f = sigmoid_of(load(gate + n) + load(bias + n));
    const Vec g = tanh_of(load(gate + 2 * n) + load(bias + 2 * n));
    const Vec o = sigmoid_of(load(gate + 3 * n) + load(bias + 3 * n));
    const Vec c = f * load(s.c_before + j) + i * g;
    store(gate, i);
    store(gate + n, f);
    store(gate + 2 * n, g);
    store(gate + 3 * n, o);
    store(s.c_after + j, c);
    store(s.h_after + j, o * tanh_of(c));
  }
}

void gate_step_back(const GateStepBack& s) {
  const std::ptrdiff_t n = s.padded_hidden;
  for (std::ptrdiff_t j = 0; j < n; j += kLanes) {
    float* gate = s.gates + j;
    const Vec i = load(gate);
    const Vec f = load(gate + n);
    const Vec g = load(gate + 2 * n);
    const Vec o = load(gate + 3 * n);
    const Vec before = load(s.c_before + j);
    // The same c as in the forward pass; cheaper to compute again than to keep.
    const Vec squashed = tanh_of(f * before + i * g);
    const Vec d_h = load(s.d_h + j) + load_some(s.d_output + j, s.hidden - static_cast<int>(j));
    const Vec d_c = load(s.d_c + j) + d_h * o * (1.0f - squashed * squashed);
    store(gate, d_c * g * i * (1.0f - i));
    store(gate + n, d_c * before * f * (1.0f - f));
    store(gate + 2 * n, d_c * i * (1.0f - g * g));
    store(gate + 3 * n, d_h * squashed * o * (1.0f - o));
    store(s.d_c + j, d_c * f);
  }
}

}  // namespace
}  // namespace traind::cpu
