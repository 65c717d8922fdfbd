// Decoding: one recurrent cell, and the choice of the next token or of several. Between the two lie
// matrix products only. Shapes as in model/backend/backend.h; R rows, one for each hypothesis.
#pragma once

#include "model/backend/beam_search.h"
#include "model/backend/cuda/kernels/rows.h"
#include "model/backend/sampling.h"

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

struct LstmDecoderCell {
  static constexpr const char* kName = "lstm_decoder_cell";
  static constexpr bool kOneThread = true;
  const float* gates = nullptr;    // [R,4H] i f g o, without the biases
  const float* bias_ih = nullptr;  // [4H]
  const float* bias_hh = nullptr;  // [4H]
  const float* c = nullptr;        // [R,H]
  float* next_c = nullptr;         // [R,H], written; may be c
  Array next_h;                    // [R,H], rows `pitch` apart, written
  std::int32_t rows = 0, hidden = 0, pitch = 0, unused = 0;

  std::size_t count() const { return static_cast<std::size_t>(rows) * hidden; }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const std::size_t row = item / hidden;
    const std::size_t j = item % hidden;
    const auto sum = [this, row, j](std::size_t gate) {
      const std::size_t k = gate * hidden + j;
      return gates[4 * row * hidden + k] + bias_ih[k] + bias_hh[k];
    };
    const float after = sigmoid_of(sum(1)) * c[item] + sigmoid_of(sum(0)) * std::tanh(sum(2));
    next_c[item] = after;
    next_h.set(row * pitch + j, sigmoid_of(sum(3)) * std::tanh(after));
  }
};

struct GruDecoderCell {
  static constexpr const char* kName = "gru_decoder_cell";
  static constexpr bool kOneThread = true;
  const float* from_input = nullptr;  // [R,3H] r z n, without the biases
  const float* from_state = nullptr;  // [R,3H] likewise
  const float* bias_ih = nullptr;     // [3H]
  const float* bias_hh = nullptr;     // [3H]
  Array h;                            // [R,H], rows `pitch` apart
  Array next_h;                       // [R,H], rows `next_pitch` apart, written; may be h
  std::int32_t rows = 0, hidden = 0, pitch = 0, next_pitch = 0;

  std::size_t count() const { return static_cast<std::size_t>(rows) * hidden; }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const std::size_t row = item / hidden;
    const std::size_t j = item % hidden;
    const auto sum = [row, j, this](const float* sums, const float* bias, std::size_t gate) {
      const std::size_t k = gate * hidden + j;
      return sums[3 * row * hidden + k] + bias[k];
    };
    const float r = sigmoid_of(sum(from_input, bias_ih, 0) + sum(from_state, bias_hh, 0));
    const float z = sigmoid_of(sum(from_input, bias_ih, 1) + sum(from_state, bias_hh, 1));
    const float n = std::tanh(sum(from_input, bias_ih, 2) + r * sum(from_state, bias_hh, 2));
    next_h.set(row * next_pitch + j, (1 - z) * n + z * h.get(row * pitch + j));
  }
};

// What a sampler draws by, where there is one.
struct TokenSampling {
  std::uint64_t seed = 0;
  float temperature = 1;
  std::int32_t unused = 0;
};

// The likeliest token of each sentence that has not ended, or one drawn: counted, kept and fed
// next.
struct NextToken {
  static constexpr const char* kName = "next_token";
  static constexpr bool kOneThread = false;
  const float* logits = nullptr;            // [B,V] without the bias, rows `pitch` apart
  const float* bias = nullptr;              // [V]
  const TokenSampling* sampling = nullptr;  // null = the likeliest
  std::int32_t* ids = nullptr;              // [B], written
  DecodedRow* rows = nullptr;               // [B], updated
  std::int32_t* chosen = nullptr;           // [max_steps,B], one more of each column written
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
    const double highest = softmax.highest.value;
    DecodedRow& row = rows[b];
    // Nothing is the highest where nothing is a number; what is fed next must be a token still.
    std::int32_t next = softmax.highest.at < words ? softmax.highest.at : 0;
    if (sampling != nullptr) {
      const float temperature = sampling->temperature;
      const auto weight = [&](std::int32_t word) {
        return std::exp((logit(word) - softmax.highest.value) / temperature);
      };
      next = drawn_token(words, weight,
                         token_draw(sampling->seed, static_cast<std::uint32_t>(b),
                                    static_cast<std::uint32_t>(row.taken)));
    }
    row.log_probability +=
        static_cast<double>(logit(next)) - (highest + std::log(static_cast<double>(softmax.sum)));
    chosen[static_cast<std::size_t>(row.taken) * batch + b] = next;
    ++row.taken;
    row.ended = next == end ? 1 : 0;
    ids[b] = next;
  }
};

// The likeliest tokens of each row, likeliest first and lower ids first among equals.
struct BestTokens {
  static constexpr const char* kName = "best_tokens";
  static constexpr bool kOneThread = false;
  const float* logits = nullptr;  // [R,V] without the bias, rows `pitch` apart
  const float* bias = nullptr;    // [V]
  Candidate* best = nullptr;      // [R,K], written
  std::int32_t rows = 0, words = 0, pitch = 0;
  std::int32_t most = 0;  // K, or V if that is less

  std::size_t count() const { return static_cast<std::size_t>(rows); }

  template <class Group>
  TRAIND_HOST_DEVICE void operator()(const Group& group, std::size_t row) const {
    const auto logit = [this, row](std::int32_t word) {
      return logits[row * pitch + word] + bias[word];
    };
    const Softmax softmax = softmax_of(group, words, logit);
    const double whole =
        static_cast<double>(softmax.highest.value) + std::log(static_cast<double>(softmax.sum));
    // The best that come after the one before: few, so each takes a look at all.
    Highest last;
    for (std::int32_t i = 0; i < most; ++i) {
      Highest next;
      for (std::int32_t word = group.rank(); word < words; word += group.size()) {
        const float value = logit(word);
        const bool after = value < last.value || (value == last.value && word > last.at);
        if (i == 0 || after) next.offer(value, word);
      }
      last = group.highest(next);
      if (group.rank() != 0) continue;
      // As in NextToken, where nothing is a number.
      const bool found = last.at < words;
      Candidate& to = best[row * most + i];
      to.id = found ? last.at : 0;
      to.log_probability =
          (found ? static_cast<double>(last.value) : static_cast<double>(NAN)) - whole;
      to.unused = 0;
    }
  }
};

// States of the hypotheses that went before, to the rows that go on from them.
struct RowsByParent {
  static constexpr const char* kName = "rows_by_parent";
  static constexpr bool kOneThread = true;
  Array from;                             // [R,W], rows `from_pitch` apart
  Array to;                               // [R,W], rows `to_pitch` apart, written
  const std::int32_t* parents = nullptr;  // [R]
  std::int32_t rows = 0, width = 0, from_pitch = 0, to_pitch = 0;

  std::size_t count() const { return static_cast<std::size_t>(rows) * width; }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const std::size_t row = item / width;
    const std::size_t j = item % width;
    const auto parent = static_cast<std::size_t>(parents[row]);
    to.set(row * to_pitch + j, from.get(parent * from_pitch + j));
  }
};

}  // namespace traind::cuda
