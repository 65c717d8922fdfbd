// Luong attention on the CPU, forward and backward.
//
// Called on the backend's thread; waits for the lanes. Throws Error(kDevice) on arguments that
// contradict each other. Each lane takes whole sentences, so that only the gradients of the
// weights need a meeting. Compact rows here are sentence-major: rows [start[b], start[b+1]) are
// the true steps of target b.
#pragma once

#include <memory>

#include "model/backend/backend.h"
#include "model/backend/cpu/engine.h"

namespace traind::cpu {

struct AttentionTape : CpuTape {
  int steps = 0, memory_steps = 0, batch = 0, width = 0;  // T, S, B, M
  int rows = 0;
  std::int32_t* start = nullptr;           // [B+1]
  std::int32_t* memory_lengths = nullptr;  // [B]
  float* projected = nullptr;              // [rows,M] h^T W_a
  float* shares = nullptr;                 // [rows,S] a, rows share_stride() apart
  float* joined = nullptr;                 // [rows,2M] c, then h
  float* outputs = nullptr;                // [rows,M]
  float* across = nullptr;                 // [B] packed s^T [M,S]
  float* along = nullptr;                  // [B] packed s [S,M]
  Lease memory;

  std::size_t share_stride() const { return static_cast<std::size_t>(padded(memory_steps)); }
  std::size_t across_floats() const { return share_stride() * width; }
  std::size_t along_floats() const {
    return static_cast<std::size_t>(memory_steps) * padded(width);
  }
  void lay_out(Carver& carver);
};

std::unique_ptr<Tape> attention_forward(Engine& engine, const AttentionWeights& weights,
                                        const AttentionForward& call);
void attention_backward(Engine& engine, const AttentionWeights& weights,
                        const AttentionBackward& call, Tape& tape);

}  // namespace traind::cpu
