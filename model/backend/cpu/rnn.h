// The stack of LSTM layers on the CPU, forward and backward through time.
//
// Called on the backend's thread; waits for the lanes. Throws Error(kDevice) on arguments that
// contradict each other.
//
// How it runs: sentences are split over lanes, and each lane carries its sentences through all T
// steps without waiting for anybody. Lanes meet only between layers. Compact rows (see rows.h)
// stand for [T,B] everywhere; Hp is H padded to 16, so that the gates need no tails.
#pragma once

#include <memory>

#include "model/backend/backend.h"
#include "model/backend/cpu/engine.h"
#include "model/backend/cpu/rows.h"

namespace traind::cpu {

struct RnnSize {
  int layers = 0, directions = 0;  // L, D
  int input = 0, hidden = 0;       // I, H
  int padded_hidden = 0;           // Hp
  int memory = 0;                  // M = D*H
  int words = 0;                   // V
  int batch = 0;                   // B
  bool table = false;              // project V embeddings, not every token
  int input_of(int layer) const { return layer == 0 ? input : memory; }
  std::size_t gates() const { return 4 * static_cast<std::size_t>(padded_hidden); }
  // Where gate g starts in a padded row, and in a bias [4H].
  std::size_t padded_gate(int g) const { return static_cast<std::size_t>(g) * padded_hidden; }
  std::size_t gate(int g) const { return static_cast<std::size_t>(g) * hidden; }
  // Where direction d starts in a row [M], and where (l, b, d) does in a state [L,B,M].
  std::size_t column(int d) const { return static_cast<std::size_t>(d) * hidden; }
  std::size_t state(int l, int b, int d) const {
    return (static_cast<std::size_t>(l) * batch + b) * memory + column(d);
  }
};

// What the backward pass needs. Without training, layers share one set of arrays.
struct RnnTape : CpuTape {
  RnnSize size;
  RowMap rows;
  bool keep = true;
  bool dropped = false;
  float keep_scale = 1;         // 1 / (1 - p)
  std::int32_t* ids = nullptr;  // [rows]
  Lease memory;

  // Of layer l, direction d.
  float* gates(int l, int d) const { return gates_ + cell(l, d) * rows_floats() * 4; }
  float* h_before(int l, int d) const { return h_before_ + cell(l, d) * rows_floats(); }
  float* c_before(int l, int d) const { return c_before_ + cell(l, d) * rows_floats(); }
  // [rows, input_of(l)]; none for layer 0 when the table is used.
  float* inputs(int l) const;
  // [rows, M] of the dropout between layer l and l + 1.
  std::uint8_t* kept(int l) const;

  void lay_out(Carver& carver);

 private:
  std::size_t cell(int l, int d) const {
    return (keep ? static_cast<std::size_t>(l) * size.directions : 0) + d;
  }
  std::size_t most_rows() const { return static_cast<std::size_t>(rows.steps) * rows.batch; }
  std::size_t rows_floats() const { return most_rows() * size.padded_hidden; }

  float* gates_ = nullptr;        // [cells][rows,4*Hp] activations
  float* h_before_ = nullptr;     // [cells][rows,Hp]
  float* c_before_ = nullptr;     // [cells][rows,Hp]
  float* embedded_ = nullptr;     // [rows,I]
  float* between_ = nullptr;      // [L-1][rows,M]
  std::uint8_t* kept_ = nullptr;  // [L-1][rows,M]
};

PackSource recurrent_source(const RnnSize& size, const RnnCell& cell, bool forward);
PackSource input_source(const RnnSize& size, const RnnCell& cell, int layer, bool forward);

std::unique_ptr<Tape> rnn_forward(Engine& engine, const RnnStack& stack, const RnnForward& call);
void rnn_backward(Engine& engine, const RnnStack& stack, const RnnBackward& call, Tape& tape);

}  // namespace traind::cpu
