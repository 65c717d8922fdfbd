// Products of floats, as tiles.h wants an arithmetic. Included by kernels_*.cc only.
#pragma once

#include "model/backend/cpu/kernels/simd.h"

namespace traind::cpu {
namespace {

struct Float32 {
  using Element = float;
  using Rounded = float;
  using Column = Vec;
  static constexpr int kTerms = 1;

  static Column column_at(const float* b) { return load(b); }
  static Vec spread(const float* a) { return broadcast(*a); }
  static Vec multiply_add(Vec sum, Vec left, Vec column) { return sum + left * column; }

  static void round(int count, const float* from, void* to) {
    __builtin_memcpy(to, from, sizeof(float) * static_cast<std::size_t>(count));
  }
  static Vec widen(int n, const float* from) { return load_some(from, n); }
  static void fill(int terms, const float* from, float* to) {
    for (int i = 0; i < terms; ++i) to[i] = from[i];
  }
  // Rows k and, with two terms, k + 1 of an operand, side by side: `second` is not read here.
  static void join(int n, const float* from, const float* /*second*/, float* to) {
    for (int i = 0; i < n; ++i) to[i] = from[i];
  }
  static void join_strip(const float* from, const float* /*second*/, float* to) {
    __builtin_memcpy(to, from, sizeof(float) * kTileRows);
  }
  static void join_lanes(int n, const float* from, const float* /*second*/, float* to) {
    store(to, load_some(from, n));
  }
};

}  // namespace
}  // namespace traind::cpu
