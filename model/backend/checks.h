// Whether the arguments of a backend call fit together, asked by every backend before it touches
// a device. Pure; each throws Error(kDevice) with a sentence that begins with the call's name.
#pragma once

#include <cstdint>
#include <span>

#include "model/backend/backend.h"

namespace traind {

// Not a string, so that a good call builds none.
void require(bool holds, const char* complaint);

// Every length is in 1..steps.
bool good_lengths(std::span<const std::int32_t> lengths, int steps);

void check_rnn_forward(const RnnStack& stack, const RnnForward& call);
// What the forward call of the tape was about.
struct RnnTapeShape {
  int layers = 0, directions = 0, input = 0, hidden = 0, words = 0, steps = 0, batch = 0;
  CellKind cell = CellKind::kLstm;
};
void check_rnn_backward(const RnnStack& stack, const RnnBackward& call, const RnnTapeShape& tape);

void check_attention_forward(const AttentionWeights& weights, const AttentionForward& call);
struct AttentionTapeShape {
  int steps = 0, memory_steps = 0, batch = 0, width = 0;
};
void check_attention_backward(const AttentionBackward& call, const AttentionTapeShape& tape);

void check_loss(const LossCall& call);
void check_update(const UpdateStep& step);
void check_decode(const DecodeCall& call);

}  // namespace traind
