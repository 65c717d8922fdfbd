// The stack of recurrent layers on the CPU, forward and backward through time.
//
// Called on the backend's thread; waits for the lanes. Throws Error(kDevice) on arguments that
// contradict each other.
//
// How it runs: sentences are split over lanes, and each lane carries its sentences through all T
// steps without waiting for anybody. Lanes meet only between layers. Compact rows (see rows.h)
// stand for [T,B] everywhere; Hp is H padded to 16, so that the gates need no tails. Operands are
// what the products multiply: floats, or bfloat16, as Kernels::round() writes them.
#pragma once

#include <memory>

#include "model/backend/backend.h"
#include "model/backend/cpu/engine.h"
#include "model/backend/cpu/rows.h"

namespace traind::cpu {

// A row of gates is 4 blocks of Hp: i f g o of an LSTM, n_x r z n_h of a GRU. A product with the
// inputs or with the state has to do with some of them, one to each gate of its weight [GH,...].
struct GateBlocks {
  int first;  // block
  int count;  // blocks, as many as the weight has gates
  int turn;   // block first + k is the weight's gate (k + turn) % count
  int block_of(int gate) const { return first + (gate + count - turn) % count; }
};
constexpr GateBlocks input_blocks(CellKind cell) {
  return cell == CellKind::kLstm ? GateBlocks{0, 4, 0} : GateBlocks{0, 3, 2};
}
constexpr GateBlocks state_blocks(CellKind cell) {
  return cell == CellKind::kLstm ? GateBlocks{0, 4, 0} : GateBlocks{1, 3, 0};
}

struct RnnSize {
  CellKind cell = CellKind::kLstm;
  int layers = 0, directions = 0;  // L, D
  int input = 0, hidden = 0;       // I, H
  int padded_hidden = 0;           // Hp
  int memory = 0;                  // M = D*H
  int words = 0;                   // V
  int batch = 0;                   // B
  bool table = false;              // project V embeddings, not every token
  int input_of(int layer) const { return layer == 0 ? input : memory; }
  std::size_t gates() const { return 4 * static_cast<std::size_t>(padded_hidden); }
  // Where block k starts in a row of gates, and gate g in a bias [GH].
  std::size_t block(int k) const { return static_cast<std::size_t>(k) * padded_hidden; }
  std::size_t gate(int g) const { return static_cast<std::size_t>(g) * hidden; }
  int block_columns(const GateBlocks& blocks) const { return blocks.count * padded_hidden; }
  // Where direction d starts in a row [M], and where (l, b, d) does in a state [L,B,M].
  std::size_t column(int d) const { return static_cast<std::size_t>(d) * hidden; }
  std::size_t state(int l, int b, int d) const {
    return (static_cast<std::size_t>(l) * batch + b) * memory + column(d);
  }
};

// Rows of operands, padded to whole vectors.
struct Operands {
  char* data = nullptr;
  std::size_t stride = 0;  // operands
  std::size_t bytes = 0;   // of an operand
  char* at(std::size_t row, std::size_t column = 0) const {
    return data + (row * stride + column) * bytes;
  }
};

// What the backward pass needs. Without training, layers share one set of arrays.
struct RnnTape : CpuTape {
  RnnSize size;
  RowMap rows;
  bool keep = true;
  bool dropped = false;
  float keep_scale = 1;         // 1 / (1 - p)
  std::size_t round_bytes = 4;  // of an operand
  std::int32_t* ids = nullptr;  // [rows]
  Lease memory;

  // Of layer l, direction d. Gates are activations until the backward pass writes the operands of
  // its products over them: gradients of the sums.
  float* gates(int l, int d) const { return gates_ + cell(l, d) * rows_floats() * 4; }
  Operands d_gates(int l, int d) const {
    return {reinterpret_cast<char*>(gates(l, d)), size.gates() * sizeof(float) / round_bytes,
            round_bytes};
  }
  Operands h_before(int l, int d) const;  // [rows,Hp]
  // [rows,Hp] the state in float32: c of an LSTM, h of a GRU.
  float* state_before(int l, int d) const { return state_before_ + cell(l, d) * rows_floats(); }
  // [rows, input_of(l)], zero past that; none for layer 0 when the table is used.
  Operands inputs(int l) const;
  // [rows, M] of the dropout between layer l and l + 1.
  std::uint8_t* kept(int l) const;

  void lay_out(Carver& carver);

 private:
  std::size_t cell(int l, int d) const {
    return (keep ? static_cast<std::size_t>(l) * size.directions : 0) + d;
  }
  std::size_t most_rows() const { return static_cast<std::size_t>(rows.steps) * rows.batch; }
  std::size_t rows_floats() const { return most_rows() * size.padded_hidden; }

  float* gates_ = nullptr;         // [cells][rows,4*Hp]
  char* h_before_ = nullptr;       // [cells][rows,Hp] operands
  float* state_before_ = nullptr;  // [cells][rows,Hp]
  char* embedded_ = nullptr;       // [rows,I] operands
  char* between_ = nullptr;        // [L-1][rows,M] operands
  std::uint8_t* kept_ = nullptr;   // [L-1][rows,M]
};

PackSource state_source(const RnnSize& size, const RnnCell& cell, bool forward);
PackSource input_source(const RnnSize& size, const RnnCell& cell, int layer, bool forward);

std::unique_ptr<Tape> rnn_forward(Engine& engine, const RnnStack& stack, const RnnForward& call);
void rnn_backward(Engine& engine, const RnnStack& stack, const RnnBackward& call, Tape& tape);

}  // namespace traind::cpu
