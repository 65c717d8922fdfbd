// What a stack's forward pass lays out on the device, and what its backward pass needs of it.
// Used by rnn_forward.cc and rnn_backward.cc on the backend's thread.
#pragma once

#include <cstdint>
#include <vector>

#include "model/backend/cuda/engine.h"
#include "model/backend/cuda/kernels/layer.h"

namespace traind::cuda {

struct StackSize {
  CellKind cell = CellKind::kLstm;
  int layers = 0, directions = 0;  // L, D
  int input = 0, hidden = 0;       // I, H
  int words = 0;                   // V
  int steps = 0, batch = 0;        // T, B
  bool ragged = false;             // some sentence is shorter than T
  bool training = false;

  int memory() const { return directions * hidden; }  // M
  bool has_c() const { return cell == CellKind::kLstm; }
  int width_of(int layer) const { return layer == 0 ? input : memory(); }
  // With the mark of the padding where it takes one, and then rounded up to what matrix units and
  // cuDNN's persistent kernels want.
  int wide_of(int layer) const {
    const int width = width_of(layer);
    if (!ragged || !has_c()) return width;
    const int multiple = width >= 128 ? 128 : width >= 32 ? 32 : 8;
    return (width + multiple) / multiple * multiple;
  }
  LayerShape shape_of(int layer) const {
    return {steps, batch, wide_of(layer), hidden, training, cell};
  }
  std::size_t places() const { return static_cast<std::size_t>(steps) * batch; }
  std::size_t state() const { return static_cast<std::size_t>(batch) * hidden; }
  // Where direction d of layer l starts in a state [L,B,M].
  std::size_t column(int layer, int direction) const {
    return (static_cast<std::size_t>(layer) * batch * directions + direction) * hidden;
  }
};

StackSize size_of(const RnnStack& stack, const Sequences& input, bool training);

// One direction of one layer in flight.
struct CellMemory {
  const Layer* layer = nullptr;
  Array x;                         // [T,B,I']
  Array y;                         // [T,B,H]
  Array first_h, first_c, last_c;  // [B,H]; no c with a GRU
  Array weights;
  void* reserve = nullptr;
};

struct StackMemory {
  Type type = Type::kFloat;
  StackSize size;
  std::vector<CellMemory> cells;  // [L*D], layer-major
  void* workspace = nullptr;

  const CellMemory& cell(int l, int d) const { return cells[l * size.directions + d]; }
  LayerForward call_of(const CellMemory& cell) const;
  void lay_out(Carver& carver);
};

// Host copies: what was staged is gone with the next flush.
struct RnnTape : Tape {
  explicit RnnTape(Engine& owner) : engine(owner), region(owner.rnn_tapes.take()) {}
  ~RnnTape() override { engine.rnn_tapes.give(region); }
  RnnTape(const RnnTape&) = delete;
  RnnTape& operator=(const RnnTape&) = delete;

  Engine& engine;
  Region* region;
  StackMemory memory;
  std::vector<std::int32_t> ids;      // [T,B]
  std::vector<std::int32_t> lengths;  // [B]
  float dropout = 0;
  DropoutKey mask;
};

LayerPlaces places_of(const Layer& layer);

}  // namespace traind::cuda
