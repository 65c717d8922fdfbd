// The operations in plain double precision, straight from their definitions, to compare devices
// with. Slow and obvious on purpose. Pure functions; all parameters lie in one row, so that a
// central difference can move any of them.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "model/backend/backend.h"

namespace traind::reference {

using Row = std::vector<double>;

// Where the parameters of a recurrent call lie in its row: embedding, cells in order (weight_ih,
// weight_hh, bias_ih, bias_hh), then the initial h and, of an LSTM, c.
struct RnnCase {
  int layers = 1, directions = 1;
  int input = 3, hidden = 4;
  int words = 5;
  int steps = 3, batch = 2;
  bool ragged = false;
  bool initial = true;
  float dropout = 0;
  CellKind cell = CellKind::kLstm;

  int gates() const { return gates_of(cell) * hidden; }
  int states() const { return cell == CellKind::kLstm ? 2 : 1; }
  int memory() const { return directions * hidden; }
  int width_of(int layer) const { return layer == 0 ? input : memory(); }
  std::size_t cell_offset(int layer, int direction) const;
  std::size_t cell_size(int layer) const;
  std::size_t state_offset() const { return cell_offset(layers, 0); }
  std::size_t state_size() const { return static_cast<std::size_t>(layers) * batch * memory(); }
  std::size_t size() const { return state_offset() + states() * state_size(); }
  std::size_t output_size() const { return static_cast<std::size_t>(steps) * batch * memory(); }
};

struct RnnResult {
  Row output;  // [T,B,M]
  Row last_h;  // [L,B,M]
  Row last_c;  // empty with a GRU
};

struct Batch {
  std::vector<std::int32_t> ids;      // [T,B]
  std::vector<std::int32_t> lengths;  // [B]
  Sequences view(int steps) const { return {ids, lengths, steps}; }
};
// Ids below `words`; lengths falling from `steps` when ragged, out of order.
Batch batch_of(int steps, int batch, int words, bool ragged, std::uint64_t seed);

// Uniform in +-scale, each exactly representable as float.
Row random_row(std::size_t size, std::uint64_t seed, double scale);

RnnResult rnn(const RnnCase& shape, const Row& parameters, const Batch& batch,
              const DropoutKey& key);

// Parameters: W_a [M,M], W_c [M,2M], query [T,B,M], memory [S,B,M].
struct AttentionCase {
  int steps = 3, memory_steps = 4, batch = 2, width = 5;
  std::size_t query_offset() const { return std::size_t{3} * width * width; }
  std::size_t query_size() const { return static_cast<std::size_t>(steps) * batch * width; }
  std::size_t memory_offset() const { return query_offset() + query_size(); }
  std::size_t memory_size() const { return static_cast<std::size_t>(memory_steps) * batch * width; }
  std::size_t size() const { return memory_offset() + memory_size(); }
};
Row attention(const AttentionCase& shape, const Row& parameters,
              const std::vector<std::int32_t>& lengths,
              const std::vector<std::int32_t>& query_lengths);

// Parameters: W [V,M], b [V], hidden [T,B,M].
struct LossCase {
  int steps = 3, batch = 2, width = 4, words = 5;
  std::size_t bias_offset() const { return static_cast<std::size_t>(words) * width; }
  std::size_t hidden_offset() const { return bias_offset() + words; }
  std::size_t hidden_size() const { return static_cast<std::size_t>(steps) * batch * width; }
  std::size_t size() const { return hidden_offset() + hidden_size(); }
};
LossSum loss(const LossCase& shape, const Row& parameters, const Batch& targets);

// d f / d row[i] by central differences, for every `stride`-th i; the others stay NaN.
Row numeric_gradient(const std::function<double(const Row&)>& f, const Row& at,
                     std::size_t stride = 1);

}  // namespace traind::reference
