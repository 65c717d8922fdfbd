// Vectors of floats and the functions of the gates, for whatever instruction set the including
// file is compiled for.
//
// Included by kernels_*.cc only, once per instruction set. Everything here has internal linkage,
// and nothing inline from elsewhere may be called: a shared inline function compiled with AVX-512
// could be the copy that the linker keeps for machines without it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace traind::cpu {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
constexpr int kTileVectors = 4;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
constexpr int kTileVectors = 2;
#elif defined(__aarch64__)
constexpr int kLanes = 4;
constexpr int kTileVectors = 4;
#else
constexpr int kLanes = 4;
constexpr int kTileVectors = 2;
#endif
constexpr int kTileRows = 6;
constexpr int kPanel = kTileVectors * kLanes;

using Vec = float __attribute__((vector_size(kLanes * 4)));
using IntVec = std::int32_t __attribute__((vector_size(kLanes * 4)));
// A typedef: Clang does not lower the alignment of an alias.
typedef float VecInMemory __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));

inline Vec load(const float* p) { return *reinterpret_cast<const VecInMemory*>(p); }
inline void store(float* p, Vec v) { *reinterpret_cast<VecInMemory*>(p) = v; }
inline Vec broadcast(float x) { return x - Vec{}; }

// The first n of a vector's floats; the rest read as zero and are not touched. The tails stay out
// of line, to keep the inner loops small.
__attribute__((noinline)) inline Vec load_tail(const float* p, int n) {
  alignas(64) float lanes[kLanes] = {};
  for (int i = 0; i < kLanes; ++i) {
    if (i < n) lanes[i] = p[i];
  }
  return load(lanes);
}
__attribute__((noinline)) inline void store_tail(float* p, Vec v, int n) {
  alignas(64) float lanes[kLanes];
  store(lanes, v);
  for (int i = 0; i < kLanes; ++i) {
    if (i < n) p[i] = lanes[i];
  }
}
inline Vec load_some(const float* p, int n) { return n >= kLanes ? load(p) : load_tail(p, n); }
inline void store_some(float* p, Vec v, int n) { n >= kLanes ? store(p, v) : store_tail(p, v, n); }

// In a fixed order, halves first.
inline float sum_of(Vec v) {
  alignas(64) float lanes[kLanes];
  store(lanes, v);
  for (int half = kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

// exp by x = n ln 2 + r, |r| <= ln 2 / 2 (Cody and Waite's reduction), the polynomial being our
// own least-maximum fit of (e^r - 1 - r) / r^2, off by at most 3.2e-9. The comparisons are written
// so that NaN passes through: a diverged model must not look healthy.
struct Reduced {
  Vec less_one;  // e^r - 1
  Vec power;     // 2^n
};
inline Reduced reduce_exp(Vec x) {
  const Vec rounder = broadcast(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const Vec n = (x * 1.44269504f + rounder) - rounder;
  Vec r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  Vec p = broadcast(0.001395049f);
  p = p * r + 0.00836889f;
  p = p * r + 0.041666206f;
  p = p * r + 0.16666518f;
  p = p * r + 0.5f;
  const IntVec bits = (__builtin_convertvector(n, IntVec) + 127) << 23;
  return {p * (r * r) + r, reinterpret_cast<Vec>(bits)};
}
inline Vec clamp(Vec x, float low, float high) {
  x = x < low ? broadcast(low) : x;
  return x > high ? broadcast(high) : x;
}
inline Vec exp_of(Vec x) {
  const Reduced e = reduce_exp(clamp(x, -87.0f, 88.0f));
  return e.less_one * e.power + e.power;
}
inline Vec sigmoid_of(Vec x) { return 1.0f / (1.0f + exp_of(-x)); }
// Through e^2x - 1, so that small values keep their relative precision.
inline Vec tanh_of(Vec x) {
  const Reduced e = reduce_exp(clamp(x + x, -20.0f, 20.0f));
  const Vec less_one = e.less_one * e.power + (e.power - 1.0f);
  return less_one / (less_one + 2.0f);
}

}  // namespace
}  // namespace traind::cpu
