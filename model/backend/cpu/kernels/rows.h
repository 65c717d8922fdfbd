// Elementwise and row-wise arithmetic: softmax, tanh, dropout masks, the optimizers.
// Included by kernels_*.cc only, once per instruction set.
#pragma once

#include "model/backend/cpu/kernels/kernels.h"
#include "model/backend/cpu/kernels/simd.h"

namespace traind::cpu {
namespace {

template <class Function>
inline void each_vector(int count, float* values, Function function) {
  for (int i = 0; i < count; i += kLanes) {
    store_some(values + i, function(load_some(values + i, count - i)), count - i);
  }
}

void tanh_row(int count, float* values) {
  each_vector(count, values, [](Vec x) { return tanh_of(x); });
}
void sigmoid_row(int count, float* values) {
  each_vector(count, values, [](Vec x) { return sigmoid_of(x); });
}
void exp_row(int count, float* values) {
  each_vector(count, values, [](Vec x) { return exp_of(x); });
}
void scale(int count, float factor, float* values) {
  each_vector(count, values, [factor](Vec x) { return x * factor; });
}

void tanh_back(int count, const float* y, float* d) {
  for (int i = 0; i < count; i += kLanes) {
    const Vec value = load_some(y + i, count - i);
    store_some(d + i, load_some(d + i, count - i) * (1.0f - value * value), count - i);
  }
}

void add(int count, const float* from, float* to) {
  for (int i = 0; i < count; i += kLanes) {
    const int some = count - i;
    store_some(to + i, load_some(to + i, some) + load_some(from + i, some), some);
  }
}

float dot(int count, const float* a, const float* b) {
  Vec sum = {};
  for (int i = 0; i < count; i += kLanes) {
    sum += load_some(a + i, count - i) * load_some(b + i, count - i);
  }
  return sum_of(sum);
}

void softmax(SoftmaxRow& row) {
  if (row.bias != nullptr) add(row.words, row.bias, row.logits);
  row.best = 0;
  for (int i = 1; i < row.words; ++i) {
    if (row.logits[i] > row.logits[row.best]) row.best = i;
  }
  row.highest = row.logits[row.best];
  Vec sum = {};
  for (int i = 0; i < row.words; i += kLanes) {
    const int some = row.words - i;
    store_some(row.logits + i, exp_of(load_some(row.logits + i, some) - row.highest), some);
    sum += load_some(row.logits + i, some);
  }
  row.sum = sum_of(sum);
}

void drop(int count, const std::uint8_t* keep, float factor, const float* in, float* out) {
  for (int i = 0; i < count; ++i) out[i] = keep[i] != 0 ? in[i] * factor : 0.0f;
}

// Philox4x32-10 as in model/base/philox.h (dropout_draws), a group of blocks side by side.
constexpr int kBlocks = 16;
constexpr int kDraws = 4 * kBlocks;
using Words = std::uint32_t __attribute__((vector_size(kLanes * 4)));
using LongWords = std::uint64_t __attribute__((vector_size(kLanes * 8)));
typedef std::uint32_t WordsInMemory __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
inline Words high_product(Words a, std::uint32_t b) {
  return __builtin_convertvector((__builtin_convertvector(a, LongWords) * b) >> 32, Words);
}

inline void philox_blocks(const MaskRange& m, std::uint64_t first_block,
                          std::uint32_t (&word)[4][kBlocks]) {
  const std::uint64_t key = m.seed ^ (m.step & 0xFFFFFFFF00000000u);
  for (int i = 0; i < kBlocks; ++i) {
    const std::uint64_t block = first_block + i;
    word[0][i] = static_cast<std::uint32_t>(block);
    word[1][i] = static_cast<std::uint32_t>(block >> 32) ^ (m.site << 16);
    word[2][i] = static_cast<std::uint32_t>(m.step);
    word[3][i] = 5;  // RandomUse::kDropout
  }
  for (int i = 0; i < kBlocks; i += kLanes) {
    std::uint32_t k0 = static_cast<std::uint32_t>(key);
    std::uint32_t k1 = static_cast<std::uint32_t>(key >> 32);
    Words w[4];
    for (int j = 0; j < 4; ++j) w[j] = *reinterpret_cast<const WordsInMemory*>(word[j] + i);
    for (int round = 0; round < 10; ++round) {
      const Words high0 = high_product(w[0], 0xD2511F53u);
      const Words high2 = high_product(w[2], 0xCD9E8D57u);
      const Words low0 = w[0] * 0xD2511F53u;
      const Words low2 = w[2] * 0xCD9E8D57u;
      w[0] = high2 ^ w[1] ^ k0;
      w[1] = low2;
      w[2] = high0 ^ w[3] ^ k1;
      w[3] = low0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    for (int j = 0; j < 4; ++j) *reinterpret_cast<WordsInMemory*>(word[j] + i) = w[j];
  }
}

// All draws of the blocks, the four bytes of a block at once.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
inline void keep_blocks(const MaskRange& m, const std::uint32_t (&word)[4][kBlocks],
                        std::uint8_t* keep) {
  const Words threshold = Words{} + m.threshold;
  for (int i = 0; i < kBlocks; i += kLanes) {
    Words bytes = {};
    for (int w = 0; w < 4; ++w) {
      const Words draws = *reinterpret_cast<const WordsInMemory*>(word[w] + i);
      bytes |= reinterpret_cast<Words>(draws >= threshold) & (1u << 8 * w);
    }
    __builtin_memcpy(keep + std::ptrdiff_t{4} * i, &bytes, sizeof bytes);
  }
}

void mask(const MaskRange& m) {
  std::uint32_t word[4][kBlocks];
  std::uint64_t block = m.first_element / 4;
  std::int64_t at = -static_cast<std::int64_t>(m.first_element % 4);
  for (; at < m.count; at += kDraws, block += kBlocks) {
    philox_blocks(m, block, word);
    if (at >= 0 && at + kDraws <= m.count) {
      keep_blocks(m, word, m.keep + at);
      continue;
    }
    for (int i = 0; i < kDraws; ++i) {
      const std::int64_t element = at + i;
      if (element < 0 || element >= m.count) continue;
      m.keep[element] = word[i % 4][i / 4] >= m.threshold ? 1 : 0;
    }
  }
}

// Eight sums in double side by side, so that the order is the same for every instruction set.
double square_sum(std::size_t count, const float* values) {
  double sum[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int j = 0; j < 8; ++j) {
      const double value = values[i + j];
      sum[j] += value * value;
    }
  }
  for (int j = 0; j < 8 && i < count; ++i, ++j)
    sum[j] += static_cast<double>(values[i]) * values[i];
  return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

inline Vec root_of(Vec x) {
  Vec root;
  for (int i = 0; i < kLanes; ++i) root[i] = __builtin_sqrtf(x[i]);
  return root;
}

void adam(const AdamRange& a) {
  const float rest1 = 1.0f - a.beta1;
  const float rest2 = 1.0f - a.beta2;
  const UpdateRange& r = a.range;
  for (std::size_t i = 0; i < r.count; i += kLanes) {
    const int some = r.count - i < kLanes ? static_cast<int>(r.count - i) : kLanes;
    const Vec g = load_some(r.gradients + i, some) * r.gradient_scale;
    const Vec m = load_some(r.first_moment + i, some) * a.beta1 + g * rest1;
    const Vec v = load_some(r.second_moment + i, some) * a.beta2 + (g * g) * rest2;
    const Vec step = a.rate * m / (root_of(v) / a.second_correction_root + a.epsilon);
    store_some(r.parameters + i, load_some(r.parameters + i, some) * a.keep - step, some);
    store_some(r.first_moment + i, m, some);
    store_some(r.second_moment + i, v, some);
    store_some(r.gradients + i, Vec{}, some);
  }
}

void sgd(const SgdRange& s) {
  const UpdateRange& r = s.range;
  for (std::size_t i = 0; i < r.count; i += kLanes) {
    const int some = r.count - i < kLanes ? static_cast<int>(r.count - i) : kLanes;
    const Vec p = load_some(r.parameters + i, some);
    const Vec g = load_some(r.gradients + i, some) * r.gradient_scale + p * s.decay;
    const Vec m = load_some(r.first_moment + i, some) * s.momentum + g;
    store_some(r.parameters + i, p - m * s.rate, some);
    store_some(r.first_moment + i, m, some);
    store_some(r.gradients + i, Vec{}, some);
  }
}

}  // namespace
}  // namespace traind::cpu
