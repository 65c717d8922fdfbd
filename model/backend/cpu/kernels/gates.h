// The recurrent cells between the matrix products, forward and backward.
// Included by kernels_*.cc only, once per instruction set. Rows are padded, so no tails here
// except at the unpadded gradient that comes from outside.
#pragma once

#include "model/backend/cpu/kernels/kernels.h"
#include "model/backend/cpu/kernels/simd.h"

namespace traind::cpu {
namespace {

void lstm_step(const GateStep& s) {
  const std::ptrdiff_t n = s.padded_hidden;
  for (std::ptrdiff_t j = 0; j < n; j += kLanes) {
    float* gate = s.gates + j;
    const float* bias = s.bias + j;
    const Vec i = sigmoid_of(load(gate) + load(bias));
    const Vec f = sigmoid_of(load(gate + n) + load(bias + n));
    const Vec g = tanh_of(load(gate + 2 * n) + load(bias + 2 * n));
    const Vec o = sigmoid_of(load(gate + 3 * n) + load(bias + 3 * n));
    const Vec c = f * load(s.before + j) + i * g;
    store(gate, i);
    store(gate + n, f);
    store(gate + 2 * n, g);
    store(gate + 3 * n, o);
    store(s.after + j, c);
    store(s.h_after + j, o * tanh_of(c));
  }
}

void lstm_step_back(const GateStepBack& s) {
  const std::ptrdiff_t n = s.padded_hidden;
  for (std::ptrdiff_t j = 0; j < n; j += kLanes) {
    const float* gate = s.gates + j;
    float* d_gate = s.d_gates + j;
    const Vec i = load(gate);
    const Vec f = load(gate + n);
    const Vec g = load(gate + 2 * n);
    const Vec o = load(gate + 3 * n);
    const Vec before = load(s.before + j);
    // The same c as in the forward pass; cheaper to compute again than to keep.
    const Vec squashed = tanh_of(f * before + i * g);
    const Vec d_h = load(s.d_h + j) + load_some(s.d_output + j, s.hidden - static_cast<int>(j));
    const Vec d_c = load(s.d_c + j) + d_h * o * (1.0f - squashed * squashed);
    store(d_gate, d_c * g * i * (1.0f - i));
    store(d_gate + n, d_c * before * f * (1.0f - f));
    store(d_gate + 2 * n, d_c * i * (1.0f - g * g));
    store(d_gate + 3 * n, d_h * squashed * o * (1.0f - o));
    store(s.d_c + j, d_c * f);
  }
}

// Leaves n r z and, as n_h, the sum that r gates.
void gru_step(const GateStep& s) {
  const std::ptrdiff_t n = s.padded_hidden;
  for (std::ptrdiff_t j = 0; j < n; j += kLanes) {
    float* gate = s.gates + j;
    const float* bias = s.bias + j;
    const Vec r = sigmoid_of(load(gate + n) + load(bias + n));
    const Vec z = sigmoid_of(load(gate + 2 * n) + load(bias + 2 * n));
    const Vec gated = load(gate + 3 * n) + load(bias + 3 * n);
    const Vec candidate = tanh_of(load(gate) + load(bias) + r * gated);
    store(gate, candidate);
    store(gate + n, r);
    store(gate + 2 * n, z);
    store(gate + 3 * n, gated);
    store(s.after + j, candidate + z * (load(s.before + j) - candidate));
  }
}

void gru_step_back(const GateStepBack& s) {
  const std::ptrdiff_t n = s.padded_hidden;
  for (std::ptrdiff_t j = 0; j < n; j += kLanes) {
    const float* gate = s.gates + j;
    float* d_gate = s.d_gates + j;
    const Vec candidate = load(gate);
    const Vec r = load(gate + n);
    const Vec z = load(gate + 2 * n);
    const Vec gated = load(gate + 3 * n);
    const Vec before = load(s.before + j);
    const Vec d_h = load(s.d_h + j) + load_some(s.d_output + j, s.hidden - static_cast<int>(j));
    const Vec d_candidate = d_h * (1.0f - z) * (1.0f - candidate * candidate);
    store(d_gate, d_candidate);
    store(d_gate + n, d_candidate * gated * r * (1.0f - r));
    store(d_gate + 2 * n, d_h * (before - candidate) * z * (1.0f - z));
    store(d_gate + 3 * n, d_candidate * r);
    store(s.d_h + j, d_h * z);
  }
}

}  // namespace
}  // namespace traind::cpu
