// What lies between the matrix products of attention. Shapes and formulas as in
// model/backend/backend.h.
#pragma once

#include "model/backend/cuda/kernels/rows.h"

namespace traind::cuda {

// a = softmax over the true source steps; 0 past them and past the target's end.
struct AttentionShares {
  static constexpr const char* kName = "attention_shares";
  static constexpr bool kOneThread = false;
  const float* scores = nullptr;                // [B,T,S], rows `pitch` apart
  const std::int32_t* lengths = nullptr;        // [B] of the sources
  const std::int32_t* query_lengths = nullptr;  // [B] of the targets
  Array shares;                                 // [B,T,S], written; may be the scores
  std::int32_t batch = 0, steps = 0, memory_steps = 0, pitch = 0;

  std::size_t count() const { return static_cast<std::size_t>(batch) * steps; }

  template <class Group>
  TRAIND_HOST_DEVICE void operator()(const Group& group, std::size_t row) const {
    const std::size_t b = row / steps;
    const auto t = static_cast<std::int32_t>(row % steps);
    const std::int32_t length = t < query_lengths[b] ? lengths[b] : 0;
    const auto score = [this, row](std::int32_t s) { return scores[row * pitch + s]; };
    const Softmax softmax = softmax_of(group, length, score);
    for (std::int32_t s = group.rank(); s < memory_steps; s += group.size()) {
      float share = 0;
      if (s < length) share = std::exp(score(s) - softmax.highest.value) / softmax.sum;
      shares.set(row * pitch + s, share);
    }
  }
};

// d_score = a (d_a - sum a d_a), which is 0 wherever a is.
struct AttentionSharesBack {
  static constexpr const char* kName = "attention_shares_back";
  static constexpr bool kOneThread = false;
  Array shares;                     // [B,T,S], rows `pitch` apart
  const float* d_shares = nullptr;  // [B,T,S]
  Array d_scores;                   // [B,T,S], written; may be d_shares
  std::size_t rows = 0;             // B*T
  std::int32_t memory_steps = 0, pitch = 0;

  std::size_t count() const { return rows; }

  template <class Group>
  TRAIND_HOST_DEVICE void operator()(const Group& group, std::size_t row) const {
    const std::size_t begin = row * pitch;
    float mean = 0;
    for (std::int32_t s = group.rank(); s < memory_steps; s += group.size()) {
      mean += shares.get(begin + s) * d_shares[begin + s];
    }
    mean = group.sum(mean);
    for (std::int32_t s = group.rank(); s < memory_steps; s += group.size()) {
      d_scores.set(begin + s, shares.get(begin + s) * (d_shares[begin + s] - mean));
    }
  }
};

// y = tanh(sum). Where the sum is 0, as it is in the padding, so is y.
struct TanhOut {
  static constexpr const char* kName = "tanh_out";
  static constexpr bool kOneThread = true;
  float* sums = nullptr;  // becomes y, for the backward pass
  Array output;           // written
  std::size_t size = 0;

  std::size_t count() const { return size; }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const float y = std::tanh(sums[item]);
    sums[item] = y;
    output.set(item, y);
  }
};

// d_sum = d_output (1 - y^2); 0 in the padding, whatever d_output holds there.
struct TanhBack {
  static constexpr const char* kName = "tanh_back";
  static constexpr bool kOneThread = true;
  const float* y = nullptr;               // [T,B,M]
  const float* d_output = nullptr;        // [T,B,M]
  const std::int32_t* lengths = nullptr;  // [B]
  Array d_sums;                           // [T,B,M], written
  std::int32_t steps = 0, batch = 0, width = 0, unused = 0;

  std::size_t count() const { return static_cast<std::size_t>(steps) * batch * width; }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const std::size_t row = item / width;
    const auto t = static_cast<std::int32_t>(row / batch);
    const bool inside = t < lengths[row % batch];
    d_sums.set(item, inside ? d_output[item] * (1.0f - y[item] * y[item]) : 0);
  }
};

}  // namespace traind::cuda
