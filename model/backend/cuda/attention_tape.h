// What attention lays out on the device, and what its backward pass needs of it. Used by the two
// passes and by decoding, which attends one step at a time; on the backend's thread.
#pragma once

#include <cstdint>
#include <vector>

#include "model/backend/cuda/engine.h"
#include "model/backend/cuda/operands.h"

namespace traind::cuda {

struct AttentionSize {
  int steps = 0, memory_steps = 0, batch = 0, width = 0;  // T, S, B, M

  int rows() const { return steps * batch; }
  std::size_t floats() const { return static_cast<std::size_t>(rows()) * width; }
  int share_pitch() const { return pitch_of(memory_steps); }
  std::size_t share_count() const { return static_cast<std::size_t>(rows()) * share_pitch(); }

  // Sentence b of a sequence [steps,B,...] whose rows are `pitch` apart.
  Matrix sentences(Array at, int pitch, bool transposed = false) const {
    return {at, batch * pitch, transposed, pitch};
  }
  // Sentence b of shares or scores [B,T,S].
  Matrix shares(Array at, bool transposed = false) const {
    return {at, share_pitch(), transposed, static_cast<std::int64_t>(steps) * share_pitch()};
  }
};

struct AttentionMemory {
  Type type = Type::kFloat;
  AttentionSize size;
  Array joined;              // [T,B,2M] context, then query
  Array source;              // [S,B,M]
  Array projected;           // [T,B,M] h^T W_a
  float* scores = nullptr;   // [B,T,S]
  Array shares;              // [B,T,S]; in float32 where the scores were
  float* outputs = nullptr;  // [T,B,M]
  Array score, combine;      // the weights

  void lay_out(Carver& carver);
  Matrix context() const { return {joined, 2 * size.width}; }
  Matrix query() const { return {joined.part(size.width), 2 * size.width}; }
};

// A host copy: what was staged is gone with the next flush.
struct AttentionTape : Tape {
  explicit AttentionTape(Engine& owner) : engine(owner), region(owner.attention_tapes.take()) {}
  ~AttentionTape() override { engine.attention_tapes.give(region); }
  AttentionTape(const AttentionTape&) = delete;
  AttentionTape& operator=(const AttentionTape&) = delete;

  Engine& engine;
  Region* region;
  AttentionMemory memory;
  std::vector<std::int32_t> query_lengths;  // [B]
};

// On the device.
struct AttentionLengths {
  const std::int32_t* sources = nullptr;  // [B]
  const std::int32_t* targets = nullptr;  // [B]
};

// Weights and sources to where attend() reads them.
void put_sources(Recorder& recorder, const AttentionWeights& weights, Tensor sources,
                 const AttentionLengths& lengths, AttentionMemory& memory);
// From the queries in memory.query() to `output` [T,B,M].
void attend(Recorder& recorder, const AttentionMemory& memory, const AttentionLengths& lengths,
            Array output);

}  // namespace traind::cuda
