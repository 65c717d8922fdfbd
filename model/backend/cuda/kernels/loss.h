// Cross entropy of logits, row by row, with its gradient; and the sum over the rows.
// Shapes as in model/backend/backend.h.
#pragma once

#include "model/backend/backend.h"
#include "model/backend/cuda/kernels/rows.h"

namespace traind::cuda {

enum class Outcome : std::int32_t { kPadding, kWrong, kRight };

struct CrossEntropy {
  static constexpr const char* kName = "cross_entropy";
  static constexpr bool kOneThread = false;
  const float* logits = nullptr;          // [T,B,V] without the bias, rows `pitch` apart
  const float* bias = nullptr;            // [V]
  const std::int32_t* targets = nullptr;  // [T,B]
  const std::int32_t* lengths = nullptr;  // [B]
  const float* gradient_scale = nullptr;
  const float* loss_scale = nullptr;  // null = 1
  Array d_logits;                     // [T,B,V], rows `pitch` apart, written; may be the logits.
                                      // Null = evaluate only
  double* nats = nullptr;             // [T,B], written
  Outcome* outcomes = nullptr;        // [T,B], written
  std::int32_t steps = 0, batch = 0, words = 0, pitch = 0;
  float smoothing = 0;  // of the gradient
  std::int32_t unused = 0;

  std::size_t count() const { return static_cast<std::size_t>(steps) * batch; }

  template <class Group>
  TRAIND_HOST_DEVICE void operator()(const Group& group, std::size_t row) const {
    const auto b = static_cast<std::int32_t>(row % batch);
    const auto t = static_cast<std::int32_t>(row / batch);
    if (t >= lengths[b]) {
      leave_out(group, row);
      return;
    }
    const auto logit = [this, row](std::int32_t word) {
      return logits[row * pitch + word] + bias[word];
    };
    const std::int32_t target = targets[row];
    // Read before any member writes the gradient, which may take the logits' place.
    const float wanted = logit(target);
    const Softmax softmax = softmax_of(group, words, logit);
    if (d_logits) {
      const float scale = *gradient_scale * (loss_scale == nullptr ? 1 : *loss_scale);
      const float spread = smoothing / static_cast<float>(words);
      for (std::int32_t i = group.rank(); i < words; i += group.size()) {
        const float share = std::exp(logit(i) - softmax.highest.value) / softmax.sum;
        const float smoothed = (i == target ? 1.0f - smoothing : 0.0f) + spread;
        d_logits.set(row * pitch + i, (share - smoothed) * scale);
      }
    }
    if (group.rank() != 0) return;
    nats[row] = std::log(static_cast<double>(softmax.sum)) -
                (static_cast<double>(wanted) - static_cast<double>(softmax.highest.value));
    outcomes[row] = softmax.highest.at == target ? Outcome::kRight : Outcome::kWrong;
  }

 private:
  template <class Group>
  TRAIND_HOST_DEVICE void leave_out(const Group& group, std::size_t row) const {
    if (d_logits) {
      for (std::int32_t i = group.rank(); i < words; i += group.size()) {
        d_logits.set(row * pitch + i, 0);
      }
    }
    if (group.rank() != 0) return;
    nats[row] = 0;
    outcomes[row] = Outcome::kPadding;
  }
};

struct LossTotal {
  static constexpr const char* kName = "loss_total";
  static constexpr bool kOneThread = false;
  const double* nats = nullptr;       // [rows]
  const Outcome* outcomes = nullptr;  // [rows]
  LossSum* to = nullptr;              // written, or +=
  std::int32_t rows = 0;
  std::int32_t add = 0;  // 1: +=

  std::size_t count() const { return 1; }

  template <class Group>
  TRAIND_HOST_DEVICE void operator()(const Group& group, std::size_t) const {
    double loss = 0;
    double tokens = 0;  // whole numbers, which a double counts exactly
    double correct = 0;
    for (std::int32_t row = group.rank(); row < rows; row += group.size()) {
      loss += nats[row];
      tokens += outcomes[row] == Outcome::kPadding ? 0 : 1;
      correct += outcomes[row] == Outcome::kRight ? 1 : 0;
    }
    loss = group.sum(loss);
    tokens = group.sum(tokens);
    correct = group.sum(correct);
    if (group.rank() != 0) return;
    to->loss = loss + (add != 0 ? to->loss : 0);
    to->tokens = static_cast<std::int64_t>(tokens) + (add != 0 ? to->tokens : 0);
    to->correct = static_cast<std::int64_t>(correct) + (add != 0 ? to->correct : 0);
  }
};

}  // namespace traind::cuda
