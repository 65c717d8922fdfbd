#include <algorithm>

#include "model/backend/checks.h"
#include "model/backend/cuda/rnn.h"
#include "model/backend/cuda/rnn_tape.h"
#include "model/backend/cuda/token_pieces.h"

namespace traind::cuda {
namespace {

// What a backward pass needs only until it returns.
struct BackwardMemory {
  Type type = Type::kFloat;
  const StackMemory* forward = nullptr;
  Array d_y;                             // [T,B,H]
  Array d_x[2][2];                       // [T,B,I'] of odd and even layers, by direction
  Array d_first_h, d_first_c, d_last_c;  // [B,H]; no c with a GRU
  Array d_weights;
  float* sums = nullptr;  // [pieces,I] of embedding gradients

  void lay_out(Carver& carver) {
    const StackSize& s = forward->size;
    std::size_t widest = 0;
    std::size_t weights = 0;
    for (int l = 0; l < s.layers; ++l) {
      widest = std::max(widest, static_cast<std::size_t>(s.wide_of(l)));
      weights = std::max(weights, forward->cell(l, 0).layer->places().total);
    }
    d_y = carver.array(type, s.places() * s.hidden);
    for (auto& layer : d_x) {
      for (int d = 0; d < s.directions; ++d) layer[d] = carver.array(type, s.places() * widest);
    }
    d_first_h = carver.array(type, s.state());
    if (s.has_c()) {
      d_first_c = carver.array(type, s.state());
      d_last_c = carver.array(type, s.state());
    }
    d_weights = carver.array(type, weights);
    sums = carver.take<float>(static_cast<std::size_t>(most_pieces(s.places(), s.words)) * s.input);
  }
};

struct Backward {
  Recorder& recorder;
  const RnnBackward& call;
  const RnnTape& tape;
  const BackwardMemory& memory;
  const std::int32_t* lengths = nullptr;  // on the device
  const DropoutKey* key = nullptr;        // likewise; null = no dropout

  const StackSize& size() const { return tape.memory.size; }
  void run();
  void output_gradient(int l, int d);
  void through_layer(int l, int d);
  void weight_gradients(int l, int d);
  void initial_gradient(int l, int d);
  void embedding_gradient();
};

void Backward::run() {
  for (int l = size().layers - 1; l >= 0; --l) {
    for (int d = 0; d < size().directions; ++d) {
      output_gradient(l, d);
      through_layer(l, d);
      weight_gradients(l, d);
      initial_gradient(l, d);
    }
  }
  embedding_gradient();
}

void Backward::output_gradient(int l, int d) {
  const StackSize& s = size();
  OutputGradient gradient;
  if (l + 1 == s.layers) {
    gradient.d_output = call.d_output.data;
  } else {
    for (int from = 0; from < s.directions; ++from) {
      gradient.above[from] = memory.d_x[(l + 1) % 2][from];
    }
    gradient.wide = s.wide_of(l + 1);
    gradient.key = key;
    gradient.dropout = tape.dropout;
    gradient.site = static_cast<std::uint32_t>(l);
  }
  gradient.d_last_h = call.d_last.h ? call.d_last.h.data + s.column(l, d) : nullptr;
  gradient.lengths = lengths;
  gradient.d_y = memory.d_y;
  gradient.steps = s.steps;
  gradient.batch = s.batch;
  gradient.hidden = s.hidden;
  gradient.directions = s.directions;
  gradient.direction = d;
  recorder.launch(gradient);
}

void Backward::through_layer(int l, int d) {
  const StackSize& s = size();
  const CellMemory& cell = tape.memory.cell(l, d);
  if (s.has_c()) {
    StateIn last;
    last.state = call.d_last.c ? call.d_last.c.data + s.column(l, d) : nullptr;
    last.to = memory.d_last_c;
    last.batch = s.batch;
    last.hidden = s.hidden;
    last.memory = s.memory();
    recorder.launch(last);
  }
  recorder.zero(memory.d_weights.data, cell.layer->places().total * size_of(memory.type));
  LayerBackward backward;
  backward.d_y = memory.d_y.data;
  backward.d_last_c = memory.d_last_c.data;
  backward.d_x = memory.d_x[l % 2][d].data;
  backward.d_first_h = memory.d_first_h.data;
  backward.d_first_c = memory.d_first_c.data;
  backward.d_weights = memory.d_weights.data;
  recorder.backward(*cell.layer, tape.memory.call_of(cell), backward);
}

void Backward::weight_gradients(int l, int d) {
  const StackSize& s = size();
  const RnnCell& to = call.gradients->cells[static_cast<std::size_t>(l) * s.directions + d];
  WeightGradientsOut gradients;
  gradients.from = memory.d_weights;
  gradients.weight_ih = to.weight_ih.data;
  gradients.weight_hh = to.weight_hh.data;
  gradients.bias_ih = to.bias_ih.data;
  gradients.bias_hh = to.bias_hh.data;
  gradients.places = places_of(*tape.memory.cell(l, d).layer);
  gradients.gates = gates_of(s.cell);
  gradients.hidden = s.hidden;
  gradients.width = s.width_of(l);
  gradients.wide = s.wide_of(l);
  recorder.launch(gradients);
}

void Backward::initial_gradient(int l, int d) {
  const StackSize& s = size();
  StateOut first;
  first.batch = s.batch;
  first.hidden = s.hidden;
  first.memory = s.memory();
  if (call.d_initial.h) {
    first.from = memory.d_first_h;
    first.state = call.d_initial.h.data + s.column(l, d);
    recorder.launch(first);
  }
  if (call.d_initial.c) {
    first.from = memory.d_first_c;
    first.state = call.d_initial.c.data + s.column(l, d);
    recorder.launch(first);
  }
}

void Backward::embedding_gradient() {
  const StackSize& s = size();
  const TokenPieces tokens = token_pieces(tape.ids, tape.lengths, s.words);
  // One staged size for every batch of the shape: addresses behind it must not move.
  const auto padded = [this](std::vector<std::int32_t> values, std::size_t count) {
    values.resize(count);
    return recorder.stage(std::span<const std::int32_t>(values));
  };
  const auto pieces = static_cast<std::size_t>(most_pieces(s.places(), s.words));
  const auto words = static_cast<std::size_t>(most_words(s.places(), s.words));
  EmbeddingPieces sum;
  for (int d = 0; d < s.directions; ++d) sum.d_x[d] = memory.d_x[0][d];
  sum.places = padded(tokens.places, s.places());
  sum.starts = padded(tokens.starts, pieces + 1);
  sum.pieces = recorder.stage(std::int32_t{tokens.pieces()});
  sum.lengths = lengths;
  sum.sums = memory.sums;
  sum.most = static_cast<std::int32_t>(pieces);
  sum.batch = s.batch;
  sum.width = s.input;
  sum.wide = s.wide_of(0);
  recorder.launch(sum);
  EmbeddingGradient gradient;
  gradient.sums = memory.sums;
  gradient.firsts = padded(tokens.firsts, words + 1);
  gradient.ids = padded(tokens.ids, words);
  gradient.words = recorder.stage(std::int32_t{tokens.words()});
  gradient.gradient = call.gradients->embedding.data;
  gradient.most = static_cast<std::int32_t>(words);
  gradient.width = s.input;
  recorder.launch(gradient);
}

std::size_t staged_bytes(const StackSize& size) {
  return sizeof(std::int32_t) *
             (size.places() + size.batch + std::size_t{2} * most_words(size.places(), size.words) +
              most_pieces(size.places(), size.words) + 8) +
         sizeof(DropoutKey);
}

}  // namespace

void rnn_backward(Engine& engine, const RnnStack& stack, const RnnBackward& call, Tape& any_tape) {
  auto* tape = dynamic_cast<RnnTape*>(&any_tape);
  require(tape != nullptr, "rnn_backward: the tape comes from another call");
  const StackSize& s = tape->memory.size;
  check_rnn_backward(
      stack, call, {s.layers, s.directions, s.input, s.hidden, s.words, s.steps, s.batch, s.cell});
  Recorder& recorder = engine.recorder;
  recorder.room_for(staged_bytes(s));
  BackwardMemory memory;
  memory.type = tape->memory.type;
  memory.forward = &tape->memory;
  recorder.lay_out(engine.rnn_memory, memory);
  Backward backward{recorder, call, *tape, memory};
  backward.lengths = recorder.stage(std::span<const std::int32_t>(tape->lengths));
  if (tape->dropout > 0) backward.key = recorder.stage(tape->mask);
  backward.run();
}

}  // namespace traind::cuda
