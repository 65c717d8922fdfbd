#include <algorithm>
#include <cstring>

#include "model/backend/cpu/rnn.h"

namespace traind::cpu {
namespace {

struct Backward {
  const Kernels& kernels;
  const RnnStack& stack;
  const RnnBackward& call;
  RnnTape& tape;
  int lanes = 1;
  float* d_output = nullptr;    // [rows,M] of the layer at hand
  float* d_embedded = nullptr;  // [rows,I] without the table
  float* d_table = nullptr;     // [D][V,4*Hp] with it
  float* d_bias = nullptr;      // [D][4*Hp]
  float* d_h = nullptr;         // [D][B,Hp] carried from step to step
  float* d_c = nullptr;         // [D][B,Hp] with an LSTM
  float* d_h_rows = nullptr;    // [D][B,Hp] of the rows of one step, before they are spread
  float* d_sums = nullptr;      // [lanes][4*Hp] of a row, before they are rounded
  float* scratch = nullptr;     // [lanes][scratch_floats]
  std::size_t scratch_floats = 0;
  const void** input_packs = nullptr;  // [L*D]
  const void** state_packs = nullptr;  // [L*D]

  std::size_t cell(int l, int d) const {
    return static_cast<std::size_t>(l) * tape.size.directions + d;
  }
  // Where sentence b's row of an array [D][B,Hp] begins.
  std::size_t carried(int b, int d) const {
    return (static_cast<std::size_t>(d) * tape.size.batch + b) * tape.size.padded_hidden;
  }
  // Of the table, whose gates are summed by word.
  float* by_word(int d) const { return d_table + d * tape.size.gates() * tape.size.words; }
  bool whole_batch_begins(int d, int t) const {
    return (d == 0 || tape.rows.full) && t == (d == 0 ? 0 : tape.rows.steps - 1);
  }
  void lay_out(Carver& carver);
  void prepare(PackCache& packs);
  void run(const Lane& lane);
  void gather_outputs(Range rows);
  void carry(const Lane& lane, int l, int d, Range sentences);
  void start_gradients(int l, int d, Range sentences);
  void end_gradients(int l, int d, Range sentences);
  void step(const Lane& lane, int l, int d, int t, Range sentences);
  void step_back(const Lane& lane, int l, int d, int b, int row);
  void send_to_state(int l, int d, int t, Range sentences);
  void gradients_above_table(const Lane& lane, int l);
  void gradients_of_table(const Lane& lane);
  void gather_by_word(int d, Range columns);
  void weight_gradients(const Lane& lane, int l, int d);
  void outer(const Lane& lane, OuterProduct product, const GateBlocks& blocks);
  void bias_gradients(const Lane& lane, int l, int d);
};

void Backward::lay_out(Carver& carver) {
  const RnnSize& s = tape.size;
  const std::size_t rows = tape.rows.total;
  const std::size_t cells = static_cast<std::size_t>(s.layers) * s.directions;
  const std::size_t state = static_cast<std::size_t>(s.directions) * s.batch * s.padded_hidden;
  scratch_floats = kernels.outer_scratch(4 * s.hidden / lanes + 12);
  d_output = carver.floats(rows * s.memory);
  d_embedded = s.table ? nullptr : carver.floats(rows * s.input);
  d_table = s.table ? carver.floats(s.directions * s.gates() * s.words) : nullptr;
  d_bias = carver.floats(s.directions * s.gates());
  d_h = carver.floats(state);
  d_c = carver.floats(state);
  d_h_rows = carver.floats(state);
  d_sums = carver.floats(lanes * s.gates());
  scratch = carver.floats(scratch_floats * lanes);
  input_packs = carver.take<const void*>(cells);
  state_packs = carver.take<const void*>(cells);
}

void Backward::prepare(PackCache& packs) {
  const RnnSize& s = tape.size;
  for (int l = 0; l < s.layers; ++l) {
    for (int d = 0; d < s.directions; ++d) {
      const RnnCell& weights = stack.cells[cell(l, d)];
      input_packs[cell(l, d)] = packs.packed(input_source(s, weights, l, false));
      state_packs[cell(l, d)] = packs.packed(state_source(s, weights, false));
    }
  }
}

void Backward::run(const Lane& lane) {
  const RnnSize& s = tape.size;
  gather_outputs(lane.share(tape.rows.total));
  lane.wait_for_all();
  for (int l = s.layers - 1; l >= 0; --l) {
    const Range units = tape.rows.share(lane, s.directions);
    for (int d = 0; d < s.directions; ++d) {
      const int base = d * s.batch;
      const Range mine = {std::max(units.begin - base, 0), std::min(units.end - base, s.batch)};
      if (mine.size() > 0) carry(lane, l, d, mine);
    }
    lane.wait_for_all();
    if (l == 0 && s.table) {
      gradients_of_table(lane);
    } else {
      gradients_above_table(lane, l);
    }
    lane.wait_for_all();
  }
}

void Backward::gather_outputs(Range rows) {
  const std::size_t width = tape.size.memory;
  float* to = d_output + rows.begin * width;
  if (!call.d_output) {
    std::memset(to, 0, sizeof(float) * rows.size() * width);
    return;
  }
  for (int r = rows.begin; r < rows.end; ++r, to += width) {
    std::memcpy(to, call.d_output.data + tape.rows.place[r] * width, sizeof(float) * width);
  }
}

void Backward::carry(const Lane& lane, int l, int d, Range sentences) {
  start_gradients(l, d, sentences);
  for (int i = 0; i < tape.rows.steps; ++i) {
    step(lane, l, d, d == 0 ? tape.rows.steps - 1 - i : i, sentences);
  }
  end_gradients(l, d, sentences);
}

void Backward::start_gradients(int l, int d, Range sentences) {
  const RnnSize& s = tape.size;
  const std::size_t bytes = sizeof(float) * s.hidden;
  for (int b = sentences.begin; b < sentences.end; ++b) {
    const std::size_t at = carried(b, d);
    std::memset(d_h + at, 0, sizeof(float) * s.padded_hidden);
    std::memset(d_c + at, 0, sizeof(float) * s.padded_hidden);
    const std::size_t from = s.state(l, b, d);
    if (call.d_last.h) std::memcpy(d_h + at, call.d_last.h.data + from, bytes);
    if (call.d_last.c) std::memcpy(d_c + at, call.d_last.c.data + from, bytes);
  }
}

void Backward::end_gradients(int l, int d, Range sentences) {
  const RnnSize& s = tape.size;
  const std::size_t bytes = sizeof(float) * s.hidden;
  for (int b = sentences.begin; b < sentences.end; ++b) {
    const std::size_t at = carried(b, d);
    const std::size_t to = s.state(l, b, d);
    if (call.d_initial.h) std::memcpy(call.d_initial.h.data + to, d_h + at, bytes);
    if (call.d_initial.c) std::memcpy(call.d_initial.c.data + to, d_c + at, bytes);
  }
}

void Backward::step(const Lane& lane, int l, int d, int t, Range sentences) {
  int row = tape.rows.begin(t, sentences.begin);
  for (int b = sentences.begin; b < sentences.end; ++b) {
    if (tape.rows.active(t, b)) step_back(lane, l, d, b, row++);
  }
  // Nobody asks for the gradient of the state before the first step.
  if (!call.d_initial.h && whole_batch_begins(d, t)) return;
  send_to_state(l, d, t, sentences);
}

void Backward::step_back(const Lane& lane, int l, int d, int b, int row) {
  const RnnSize& s = tape.size;
  const bool rounds = tape.round_bytes != sizeof(float);
  const std::size_t at = carried(b, d);
  float* gates = tape.gates(l, d) + row * s.gates();
  float* d_gates = rounds ? d_sums + lane.index() * s.gates() : gates;
  const GateStepBack cell_step{s.hidden,
                               s.padded_hidden,
                               gates,
                               d_gates,
                               tape.state_before(l, d) + row * s.block(1),
                               d_output + static_cast<std::size_t>(row) * s.memory + s.column(d),
                               d_h + at,
                               d_c + at};
  s.cell == CellKind::kGru ? kernels.gru_step_back(cell_step) : kernels.lstm_step_back(cell_step);
  if (rounds) kernels.round(static_cast<int>(s.gates()), d_gates, tape.d_gates(l, d).at(row));
}

// What the gates at t owe to the state before them.
void Backward::send_to_state(int l, int d, int t, Range sentences) {
  const RnnSize& s = tape.size;
  const int first = tape.rows.begin(t, sentences.begin);
  const int n = tape.rows.begin(t, sentences.end) - first;
  if (n == 0) return;
  // A GRU's state also comes through without a product.
  const bool add = s.cell == CellKind::kGru;
  const bool in_place = n == sentences.size();
  const GateBlocks blocks = state_blocks(s.cell);
  const Operands d_gates = tape.d_gates(l, d);
  float* to = (in_place ? d_h : d_h_rows) + carried(sentences.begin, d);
  const std::size_t hp = s.padded_hidden;
  kernels.multiply({n, s.hidden, s.block_columns(blocks), d_gates.at(first, s.block(blocks.first)),
                    d_gates.stride, state_packs[cell(l, d)], to, hp, in_place && add, true});
  if (in_place) return;
  for (int b = sentences.begin; b < sentences.end; ++b) {
    if (!tape.rows.active(t, b)) continue;
    float* sum = d_h + carried(b, d);
    add ? kernels.add(s.hidden, to, sum)
        : static_cast<void>(std::memcpy(sum, to, sizeof(float) * s.hidden));
    to += hp;
  }
}

// Weights of layer l, and the gradient of its inputs.
void Backward::gradients_above_table(const Lane& lane, int l) {
  const RnnSize& s = tape.size;
  const int width = s.input_of(l);
  const GateBlocks blocks = input_blocks(s.cell);
  float* d_input = l == 0 ? d_embedded : d_output;
  const Range rows = lane.share(tape.rows.total, 6);
  const std::size_t at = static_cast<std::size_t>(rows.begin) * width;
  for (int d = 0; d < s.directions; ++d) {
    const Operands d_gates = tape.d_gates(l, d);
    kernels.multiply({rows.size(), width, s.block_columns(blocks),
                      d_gates.at(rows.begin, s.block(blocks.first)), d_gates.stride,
                      input_packs[cell(l, d)], d_input + at, static_cast<std::size_t>(width), d > 0,
                      true});
    weight_gradients(lane, l, d);
  }
  if (l > 0) {
    if (!tape.dropped) return;
    kernels.drop(rows.size() * width, tape.kept(l - 1) + at, tape.keep_scale, d_input + at,
                 d_input + at);
    return;
  }
  lane.wait_for_all();
  const Range columns = lane.share(width, kPad);
  for (int r = 0; r < tape.rows.total; ++r) {
    const std::size_t word = static_cast<std::size_t>(tape.ids[r]) * width + columns.begin;
    kernels.add(columns.size(), d_embedded + static_cast<std::size_t>(r) * width + columns.begin,
                call.gradients->embedding.data + word);
  }
}

// Layer 0 through the table: gradients are gathered by word first, so that each product runs over
// V rows.
void Backward::gradients_of_table(const Lane& lane) {
  const RnnSize& s = tape.size;
  const GateBlocks blocks = input_blocks(s.cell);
  for (int d = 0; d < s.directions; ++d) {
    gather_by_word(d, lane.share(static_cast<int>(s.gates()), kPad));
  }
  lane.wait_for_all();
  const Range words = lane.share(s.words, 6);
  for (int d = 0; d < s.directions; ++d) {
    kernels.multiply(
        {words.size(), s.input, s.block_columns(blocks),
         by_word(d) + words.begin * s.gates() + s.block(blocks.first), s.gates(),
         input_packs[cell(0, d)],
         call.gradients->embedding.data + static_cast<std::size_t>(words.begin) * s.input,
         static_cast<std::size_t>(s.input), true});
    weight_gradients(lane, 0, d);
  }
}

// In the order of the rows, whoever has which columns.
void Backward::gather_by_word(int d, Range columns) {
  const RnnSize& s = tape.size;
  const Operands d_gates = tape.d_gates(0, d);
  float* table = by_word(d) + columns.begin;
  for (int v = 0; v < s.words; ++v) {
    std::memset(table + v * s.gates(), 0, sizeof(float) * columns.size());
  }
  for (int r = 0; r < tape.rows.total; ++r) {
    kernels.add_rounded(columns.size(), d_gates.at(r, columns.begin),
                        table + tape.ids[r] * s.gates());
  }
}

void Backward::weight_gradients(const Lane& lane, int l, int d) {
  const RnnSize& s = tape.size;
  RnnCell& gradients = call.gradients->cells[cell(l, d)];
  const Operands d_gates = tape.d_gates(l, d);
  const Operands h = tape.h_before(l, d);
  OuterProduct with_state;
  with_state.cols = s.hidden;
  with_state.depth = tape.rows.total;
  with_state.a = d_gates.data;
  with_state.a_stride = d_gates.stride;
  with_state.b = h.data;
  with_state.b_stride = h.stride;
  with_state.c = gradients.weight_hh.data;
  with_state.a_rounded = with_state.b_rounded = true;
  outer(lane, with_state, state_blocks(s.cell));

  const Operands inputs = tape.inputs(l);
  OuterProduct with_input = with_state;
  with_input.cols = s.input_of(l);
  with_input.b = inputs.data;
  with_input.b_stride = inputs.stride;
  with_input.c = gradients.weight_ih.data;
  if (l == 0 && s.table) {
    with_input.depth = s.words;
    with_input.a = by_word(d);
    with_input.a_stride = s.gates();
    with_input.b = stack.embedding.data;
    with_input.b_stride = s.input;
    with_input.a_rounded = with_input.b_rounded = false;
  }
  outer(lane, with_input, input_blocks(s.cell));
  bias_gradients(lane, l, d);
}

// This lane's rows of a weight's gradient, whose gates are `blocks` of the columns of a.
void Backward::outer(const Lane& lane, OuterProduct product, const GateBlocks& blocks) {
  const RnnSize& s = tape.size;
  const auto* a = static_cast<const char*>(product.a);
  float* c = product.c;
  const std::size_t bytes = product.a_rounded ? tape.round_bytes : sizeof(float);
  product.c_stride = product.cols;
  product.scratch = scratch + lane.index() * scratch_floats;
  // Without padding and in their order, blocks are as good as one.
  const bool whole = s.hidden == s.padded_hidden && blocks.turn == 0;
  const int group = whole ? blocks.count * s.hidden : s.hidden;
  const Range mine = lane.share(blocks.count * s.hidden, 6);
  for (int g = 0; g * group < mine.end; ++g) {
    const int begin = std::max(mine.begin - g * group, 0);
    product.rows = std::min(mine.end - g * group, group) - begin;
    if (product.rows <= 0) continue;
    product.a = a + (s.block(blocks.block_of(g)) + begin) * bytes;
    product.c = c + (s.gate(g) * (whole ? blocks.count : 1) + begin) * product.c_stride;
    kernels.multiply_outer(product);
  }
}

void Backward::bias_gradients(const Lane& lane, int l, int d) {
  const RnnSize& s = tape.size;
  RnnCell& gradients = call.gradients->cells[cell(l, d)];
  const Operands d_gates = tape.d_gates(l, d);
  const Range mine = lane.share(static_cast<int>(s.gates()), kPad);
  float* sums = d_bias + d * s.gates();
  std::memset(sums + mine.begin, 0, sizeof(float) * mine.size());
  if (l == 0 && s.table) {
    kernels.add_column_sums(s.words, mine.size(), by_word(d) + mine.begin, s.gates(),
                            sums + mine.begin);
  } else {
    kernels.add_rounded_column_sums(tape.rows.total, mine.size(), d_gates.at(0, mine.begin),
                                    d_gates.stride, sums + mine.begin);
  }
  const auto add = [&](const GateBlocks& blocks, const Tensor& to) {
    for (int g = 0; g < blocks.count; ++g) {
      const int block = static_cast<int>(s.block(blocks.block_of(g)));
      const int begin = std::max(mine.begin - block, 0);
      const int end = std::min(mine.end - block, s.hidden);
      if (begin < end) kernels.add(end - begin, sums + block + begin, to.data + s.gate(g) + begin);
    }
  };
  add(input_blocks(s.cell), gradients.bias_ih);
  add(state_blocks(s.cell), gradients.bias_hh);
}

}  // namespace

void rnn_backward(Engine& engine, const RnnStack& stack, const RnnBackward& call, Tape& any_tape) {
  auto* tape = dynamic_cast<RnnTape*>(&any_tape);
  require(tape != nullptr, "rnn_backward: the tape comes from another call");
  const RnnSize& s = tape->size;
  check_rnn_backward(
      stack, call,
      {s.layers, s.directions, s.input, s.hidden, s.words, tape->rows.steps, s.batch, s.cell});
  Backward backward{engine.kernels, stack, call, *tape};
  const double operations = 4.0 * tape->rows.total * stack.layers * stack.directions *
                            static_cast<double>(tape->size.gates()) *
                            (stack.hidden + stack.memory());
  backward.lanes = engine.team.lanes_for(operations);
  const Lease workspace = lend(engine.arena, backward);
  backward.prepare(engine.packs);
  engine.team.run(backward.lanes, [&](const Lane& lane) { backward.run(lane); });
}

}  // namespace traind::cpu
