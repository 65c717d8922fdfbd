// Products of bfloat16, two terms to a multiplication, summed in float32 (VDPBF16PS), as tiles.h
// wants an arithmetic. Included by kernels_avx512_bf16.cc only.
#pragma once

#include <immintrin.h>

#include "model/backend/cpu/kernels/simd.h"

namespace traind::cpu {
namespace {

struct BFloat16 {
  // Two terms: the first in the lower half.
  using Element = std::uint32_t __attribute__((may_alias));
  using Rounded = std::uint16_t;
  using Column = __m512bh;
  using Halves = std::uint16_t __attribute__((vector_size(32)));
  using Pairs = std::uint32_t __attribute__((vector_size(64)));
  static constexpr int kTerms = 2;

  static Column column_at(const Element* b) { return (__m512bh)_mm512_loadu_si512(b); }
  static __m512bh spread(const Element* a) {
    return (__m512bh)_mm512_set1_epi32(static_cast<int>(*a));
  }
  static Vec multiply_add(Vec sum, __m512bh left, __m512bh column) {
    return (Vec)_mm512_dpbf16_ps((__m512)sum, left, column);
  }

  // The first n of 16 lanes.
  static __mmask16 lanes(int n) {
    return static_cast<__mmask16>(n >= kLanes ? 0xffff : (1 << n) - 1);
  }
  static __m256i rounded(int n, const float* from) {
    return (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(lanes(n), from));
  }
  static __m256i rounded(int n, const Rounded* from) {
    return _mm256_maskz_loadu_epi16(lanes(n), from);
  }
  // Each as the lower half of a lane.
  static Pairs spread_out(__m256i x) { return __builtin_convertvector((Halves)x, Pairs); }

  static void round(int count, const float* from, void* to) {
    auto* out = static_cast<Rounded*>(to);
    for (int i = 0; i < count; i += kLanes) {
      _mm256_mask_storeu_epi16(out + i, lanes(count - i), rounded(count - i, from + i));
    }
  }
  static Vec widen(int n, const float* from) { return load_some(from, n); }
  static Vec widen(int n, const Rounded* from) { return (Vec)(spread_out(rounded(n, from)) << 16); }
  static void fill(int terms, const float* from, Element* to) {
    for (int i = 0; i < terms; i += kLanes) {
      const int some = terms - i < kLanes ? terms - i : kLanes;
      _mm256_mask_storeu_epi16(to + i / 2, lanes((some + 1) / 2 * 2), rounded(some, from + i));
    }
  }

  // n pairs of rows k and k + 1 of an operand; null = zeros.
  template <class From>
  static __m512i joined(int n, const From* from, const From* second) {
    const Pairs low = spread_out(rounded(n, from));
    if (second == nullptr) return (__m512i)low;
    return (__m512i)(low | spread_out(rounded(n, second)) << 16);
  }
  template <class From>
  static void join(int n, const From* from, const From* second, Element* to) {
    _mm512_mask_storeu_epi32(to, lanes(n), joined(n, from, second));
  }
  template <class From>
  static void join_strip(const From* from, const From* second, Element* to) {
    join(kTileRows, from, second, to);
  }
  template <class From>
  static void join_lanes(int n, const From* from, const From* second, Element* to) {
    _mm512_storeu_si512(to, joined(n, from, second));
  }
};

}  // namespace
}  // namespace traind::cpu
