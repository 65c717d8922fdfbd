// Greedy decoding: one LSTM cell, and the choice of the next token. Between the two lie matrix
// products only. Shapes as in model/backend/backend.h.
#pragma once

#include "model/backend/cuda/kernels/rows.h"

namespace traind::cuda {

// How far a sentence has come.
struct DecodedRow {
  double log_probability = 0;
  std::int32_t taken = 0;  // tokens chosen, the end mark among them
  std::int32_t ended = 0;  // 1: by the end mark
};

struct DecodingStart {
  static constexpr const char* kName = "decoding_start";
  static constexpr bool kOneThread = true;
  std::int32_t* ids = nullptr;          // [B], written
  DecodedRow* rows = nullptr;           // [B], written
  const std::int32_t* begin = nullptr;  // [B]
  std::int32_t batch = 0, unused = 0;

  std::size_t count() const { return static_cast<std::size_t>(batch); }
  TRAIND_HOST_DEVICE void operator()(std::size_t b) const {
    ids[b] = begin[b];
    rows[b] = DecodedRow();
  }
};

TRAIND_HOST_DEVICE inline float sigmoid_of(float x) { return 1.0f / (1.0f + std::exp(-x)); }

struct DecoderCell {
  static constexpr const char* kName = "decoder_cell";
  static constexpr bool kOneThread = true;
  const float* gates = nullptr;    // [B,4H] i f g o, without the biases
  const float* bias_ih = nullptr;  // [4H]
  const float* bias_hh = nullptr;  // [4H]
  float* c = nullptr;              // [B,H], updated
  Array h;                         // [B,H], rows `pitch` apart, written
  std::int32_t batch = 0, hidden = 0, pitch = 0, unused = 0;

  std::size_t count() const { return static_cast<std::size_t>(batch) * hidden; }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const std::size_t b = item / hidden;
    const std::size_t j = item % hidden;
    const auto sum = [this, b, j](std::size_t gate) {
      const std::size_t k = gate * hidden + j;
      return gates[4 * b * hidden + k] + bias_ih[k] + bias_hh[k];
    };
    const float after = sigmoid_of(sum(1)) * c[item] + sigmoid_of(sum(0)) * std::tanh(sum(2));
    c[item] = after;
    h.set(b * pitch + j, sigmoid_of(sum(3)) * std::tanh(after));
  }
};

// The likeliest token of each sentence that has not ended: counted, kept and fed next.
struct NextToken {
  static constexpr const char* kName = "next_token";
  static constexpr bool kOneThread = false;
  const float* logits = nullptr;   // [B,V] without the bias, rows `pitch` apart
  const float* bias = nullptr;     // [V]
  std::int32_t* ids = nullptr;     // [B], written
  DecodedRow* rows = nullptr;      // [B], updated
  std::int32_t* chosen = nullptr;  // [max_steps,B], one more of each column written
  std::int32_t batch = 0, words = 0, pitch = 0, end = 0;

  std::size_t count() const { return static_cast<std::size_t>(batch); }

  template <class Group>
  TRAIND_HOST_DEVICE void operator()(const Group& group, std::size_t b) const {
    if (rows[b].ended != 0) return;
    const auto logit = [this, b](std::int32_t word) {
      return logits[b * pitch + word] + bias[word];
    };
    const Softmax softmax = softmax_of(group, words, logit);
    if (group.rank() != 0) return;
    // Nothing is the highest where nothing is a number; what is fed next must be a token still.
    const std::int32_t best = softmax.highest.at < words ? softmax.highest.at : 0;
    DecodedRow& row = rows[b];
    row.log_probability -= std::log(static_cast<double>(softmax.sum));
    chosen[static_cast<std::size_t>(row.taken) * batch + b] = best;
    ++row.taken;
    row.ended = best == end ? 1 : 0;
    ids[b] = best;
  }
};

}  // namespace traind::cuda
