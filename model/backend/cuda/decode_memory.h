// What decoding lays out on the device. Used by decode.cc on the backend's thread.
//
// R = K*B rows: hypothesis k of sentence b is row k*B + b. To attention the hypotheses of a
// sentence are target steps, which share its memory.
#pragma once

#include <algorithm>
#include <vector>

#include "model/backend/beam_search.h"
#include "model/backend/cuda/attention_tape.h"
#include "model/backend/cuda/kernels/decoding.h"

namespace traind::cuda {

struct DecodingLayer {
  Array weight_ih;     // [GH,I]
  Array weight_hh;     // [GH,H]
  Matrix h;            // [R,H] what a step goes on from
  float* c = nullptr;  // [R,H] likewise; LSTM only
  // What the step leaves. With a beam it lies apart, since rows change places in between.
  Matrix next_h;
  float* next_c = nullptr;
};

struct DecodingMemory {
  Type type = Type::kFloat;
  CellKind cell = CellKind::kLstm;
  int batch = 0, beam = 1;               // B, K
  int hidden = 0, input = 0, words = 0;  // H = M, I, V
  int max_steps = 0;
  bool attends = false;
  AttentionMemory attention;          // of K target steps
  std::vector<DecodingLayer> layers;  // [L]
  Array embedded;                     // [R,I]
  float* gates = nullptr;             // [R,GH]
  float* state_gates = nullptr;       // [R,GH] a GRU's own over the state
  Array attended;                     // [R,M]
  Array weight;                       // [V,M]
  float* logits = nullptr;            // [R,V], rows pitch_of(V) apart
  Candidate* best = nullptr;          // [R,choices], with a beam
  std::int32_t* ids = nullptr;        // [B]; this and the next two without one
  DecodedRow* rows = nullptr;         // [B]
  std::int32_t* chosen = nullptr;     // [max_steps,B]

  int choices() const { return std::min(beam, words); }  // of a row
  int row_count() const { return beam * batch; }
  int gate_width() const { return gates_of(cell) * hidden; }
  bool has_c() const { return cell == CellKind::kLstm; }
  std::size_t state() const { return static_cast<std::size_t>(row_count()) * hidden; }
  int width_of(std::size_t layer) const { return layer == 0 ? input : hidden; }

  void lay_out(Carver& carver);

 private:
  void lay_out_layer(Carver& carver, std::size_t l);
};

}  // namespace traind::cuda
