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
  float* d_c = nullptr;         // [D][B,Hp]
  float* d_h_rows = nullptr;    // [D][B,Hp] of the rows of one step, before they are spread
  float* scratch = nullptr;     // [lanes][scratch_floats]
  std::size_t scratch_floats = 0;
  const float** input_packs = nullptr;      // [L*D]
  const float** recurrent_packs = nullptr;  // [L*D]

  std::size_t cell(int l, int d) const {
    return static_cast<std::size_t>(l) * tape.size.directions + d;
  }
  void lay_out(Carver& carver);
  void prepare(PackCache& packs);
  void run(const Lane& lane);
  void carry(int l, int d, Range sentences);
  void start_gradients(int l, int d, Range sentences);
  void end_gradients(int l, int d, Range sentences);
  void step(int l, int d, int t, Range sentences);
  void gradients_above_table(const Lane& lane, int l);
  void gradients_of_table(const Lane& lane);
  void scatter_by_word(Range columns, const float* from, std::size_t stride, float* to);
  void cell_gradients(const Lane& lane, int l, int d, bool table);
  void outer(const Lane& lane, OuterProduct product, Range gate_rows);
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
  scratch = carver.floats(scratch_floats * lanes);
  input_packs = carver.take<const float*>(cells);
  recurrent_packs = carver.take<const float*>(cells);
}

void Backward::prepare(PackCache& packs) {
  const RnnSize& s = tape.size;
  for (int l = 0; l < s.layers; ++l) {
    for (int d = 0; d < s.directions; ++d) {
      const RnnCell& weights = stack.cells[cell(l, d)];
      input_packs[cell(l, d)] = packs.packed(input_source(s, weights, l, false));
      recurrent_packs[cell(l, d)] = packs.packed(recurrent_source(s, weights, false));
    }
  }
}

void Backward::run(const Lane& lane) {
  const RnnSize& s = tape.size;
  const std::size_t width = s.memory;
  const Range rows = lane.share(tape.rows.total);
  if (!call.d_output)
    std::memset(d_output + rows.begin * width, 0, sizeof(float) * rows.size() * width);
  for (int r = rows.begin; call.d_output && r < rows.end; ++r) {
    std::memcpy(d_output + r * width, call.d_output.data + tape.rows.place[r] * width,
                sizeof(float) * width);
  }
  lane.wait_for_all();
  for (int l = s.layers - 1; l >= 0; --l) {
    const Range units = tape.rows.share(lane, s.directions);
    for (int d = 0; d < s.directions; ++d) {
      const int base = d * s.batch;
      const Range mine = {std::max(units.begin - base, 0), std::min(units.end - base, s.batch)};
      if (mine.size() > 0) carry(l, d, mine);
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

void Backward::carry(int l, int d, Range sentences) {
  start_gradients(l, d, sentences);
  for (int i = 0; i < tape.rows.steps; ++i) {
    step(l, d, d == 0 ? tape.rows.steps - 1 - i : i, sentences);
  }
  end_gradients(l, d, sentences);
}

void Backward::start_gradients(int l, int d, Range sentences) {
  const RnnSize& s = tape.size;
  const std::size_t hp = s.padded_hidden;
  const std::size_t bytes = sizeof(float) * s.hidden;
  for (int b = sentences.begin; b < sentences.end; ++b) {
    const std::size_t at = (static_cast<std::size_t>(d) * s.batch + b) * hp;
    std::memset(d_h + at, 0, sizeof(float) * hp);
    std::memset(d_c + at, 0, sizeof(float) * hp);
    const std::size_t from = s.state(l, b, d);
    if (call.d_last.h) std::memcpy(d_h + at, call.d_last.h.data + from, bytes);
    if (call.d_last.c) std::memcpy(d_c + at, call.d_last.c.data + from, bytes);
  }
}

void Backward::end_gradients(int l, int d, Range sentences) {
  const RnnSize& s = tape.size;
  const std::size_t bytes = sizeof(float) * s.hidden;
  for (int b = sentences.begin; b < sentences.end; ++b) {
    const std::size_t at = (static_cast<std::size_t>(d) * s.batch + b) * s.padded_hidden;
    const std::size_t to = s.state(l, b, d);
    if (call.d_initial.h) std::memcpy(call.d_initial.h.data + to, d_h + at, bytes);
    if (call.d_initial.c) std::memcpy(call.d_initial.c.data + to, d_c + at, bytes);
  }
}

void Backward::step(int l, int d, int t, Range sentences) {
  const RnnSize& s = tape.size;
  const std::size_t hp = s.padded_hidden;
  const std::size_t first = tape.rows.begin(t, sentences.begin);
  const int n = tape.rows.begin(t, sentences.end) - static_cast<int>(first);
  float* gates = tape.gates(l, d) + first * s.gates();
  const float* c_before = tape.c_before(l, d) + first * hp;
  const std::size_t state = static_cast<std::size_t>(d) * s.batch;
  std::size_t k = 0;
  for (int b = sentences.begin; b < sentences.end; ++b) {
    if (!tape.rows.active(t, b)) continue;
    kernels.gate_step_back({s.hidden, s.padded_hidden, gates + k * s.gates(), c_before + k * hp,
                            d_output + (first + k) * s.memory + s.column(d), d_h + (state + b) * hp,
                            d_c + (state + b) * hp});
    ++k;
  }
  // Nobody asks for the gradient of the state before the first step.
  const bool last =
      !call.d_initial.h && (d == 0 || tape.rows.full) && t == (d == 0 ? 0 : tape.rows.steps - 1);
  if (n == 0 || last) return;
  float* spread = d_h_rows + (state + sentences.begin) * hp;
  kernels.multiply({n, s.hidden, static_cast<int>(s.gates()), gates, s.gates(),
                    recurrent_packs[cell(l, d)], spread, hp, false});
  k = 0;
  for (int b = sentences.begin; b < sentences.end; ++b) {
    if (!tape.rows.active(t, b)) continue;
    std::memcpy(d_h + (state + b) * hp, spread + k * hp, sizeof(float) * s.hidden);
    ++k;
  }
}

// Weights of layer l, and the gradient of its inputs.
void Backward::gradients_above_table(const Lane& lane, int l) {
  const RnnSize& s = tape.size;
  const int width = s.input_of(l);
  float* d_input = l == 0 ? d_embedded : d_output;
  const Range rows = lane.share(tape.rows.total, 6);
  for (int d = 0; d < s.directions; ++d) {
    kernels.multiply({rows.size(), width, static_cast<int>(s.gates()),
                      tape.gates(l, d) + rows.begin * s.gates(), s.gates(), input_packs[cell(l, d)],
                      d_input + static_cast<std::size_t>(rows.begin) * width,
                      static_cast<std::size_t>(width), d > 0});
    cell_gradients(lane, l, d, false);
  }
  if (l > 0) {
    if (!tape.dropped) return;
    const std::size_t at = static_cast<std::size_t>(rows.begin) * width;
    kernels.drop(rows.size() * width, tape.kept(l - 1) + at, tape.keep_scale, d_input + at,
                 d_input + at);
    return;
  }
  lane.wait_for_all();
  scatter_by_word(lane.share(width, kPad), d_embedded, width, call.gradients->embedding.data);
}

// Layer 0 through the table: gradients are gathered by word first, so that each product runs over
// V rows.
void Backward::gradients_of_table(const Lane& lane) {
  const RnnSize& s = tape.size;
  const Range columns = lane.share(static_cast<int>(s.gates()), kPad);
  for (int d = 0; d < s.directions; ++d) {
    float* table = d_table + d * s.gates() * s.words;
    for (int v = 0; v < s.words; ++v) {
      std::memset(table + v * s.gates() + columns.begin, 0,
                  sizeof(float) * static_cast<std::size_t>(columns.size()));
    }
    scatter_by_word(columns, tape.gates(0, d), s.gates(), table);
  }
  lane.wait_for_all();
  const Range words = lane.share(s.words, 6);
  for (int d = 0; d < s.directions; ++d) {
    const float* table = d_table + d * s.gates() * s.words;
    kernels.multiply(
        {words.size(), s.input, static_cast<int>(s.gates()), table + words.begin * s.gates(),
         s.gates(), input_packs[cell(0, d)],
         call.gradients->embedding.data + static_cast<std::size_t>(words.begin) * s.input,
         static_cast<std::size_t>(s.input), true});
    cell_gradients(lane, 0, d, true);
  }
}

// to[word of row r] += from[r], columns [begin, end) of both; in the order of the rows.
void Backward::scatter_by_word(Range columns, const float* from, std::size_t stride, float* to) {
  for (int r = 0; r < tape.rows.total; ++r) {
    kernels.add(columns.size(), from + r * stride + columns.begin,
                to + tape.ids[r] * stride + columns.begin);
  }
}

void Backward::cell_gradients(const Lane& lane, int l, int d, bool table) {
  const RnnSize& s = tape.size;
  RnnCell& gradients = call.gradients->cells[cell(l, d)];
  const int width = s.input_of(l);
  const Range mine = lane.share(4 * s.hidden, 6);
  const float* gates = tape.gates(l, d);
  const float* by_word = d_table + d * s.gates() * s.words;
  OuterProduct recurrent{0,
                         s.hidden,
                         tape.rows.total,
                         gates,
                         s.gates(),
                         tape.h_before(l, d),
                         static_cast<std::size_t>(s.padded_hidden),
                         gradients.weight_hh.data,
                         static_cast<std::size_t>(s.hidden),
                         nullptr};
  OuterProduct input{0,
                     width,
                     tape.rows.total,
                     gates,
                     s.gates(),
                     tape.inputs(l),
                     static_cast<std::size_t>(width),
                     gradients.weight_ih.data,
                     static_cast<std::size_t>(width),
                     nullptr};
  if (table) {
    input.depth = s.words;
    input.a = by_word;
    input.b = stack.embedding.data;
  }
  outer(lane, recurrent, mine);
  outer(lane, input, mine);

  float* sums = d_bias + d * s.gates();
  for (int g = 0; g < 4; ++g) {
    const int begin = std::max(mine.begin - g * s.hidden, 0);
    const int count = std::min(mine.end - g * s.hidden, s.hidden) - begin;
    if (count <= 0) continue;
    float* sum = sums + s.padded_gate(g) + begin;
    std::memset(sum, 0, sizeof(float) * static_cast<std::size_t>(count));
    kernels.add_column_sums(input.depth, count, input.a + s.padded_gate(g) + begin, s.gates(), sum);
    kernels.add(count, sum, gradients.bias_ih.data + s.gate(g) + begin);
    kernels.add(count, sum, gradients.bias_hh.data + s.gate(g) + begin);
  }
}

// `product` over the gates' rows [begin, end) of the weight, which skip the padding of Hp.
void Backward::outer(const Lane& lane, OuterProduct product, Range gate_rows) {
  const RnnSize& s = tape.size;
  const bool whole = s.hidden == s.padded_hidden;
  const int group = whole ? 4 * s.hidden : s.hidden;
  const float* a = product.a;
  float* c = product.c;
  product.scratch = scratch + lane.index() * scratch_floats;
  for (int g = 0; g < (whole ? 1 : 4); ++g) {
    const int begin = std::max(gate_rows.begin - g * group, 0);
    const int count = std::min(gate_rows.end - g * group, group) - begin;
    if (count <= 0) continue;
    product.rows = count;
    product.a = a + s.padded_gate(g) + begin;
    product.c = c + (static_cast<std::size_t>(g) * group + begin) * product.c_stride;
    kernels.multiply_outer(product);
  }
}

}  // namespace

void rnn_backward(Engine& engine, const RnnStack& stack, const RnnBackward& call, Tape& any_tape) {
  auto* tape = dynamic_cast<RnnTape*>(&any_tape);
  require(tape != nullptr, "rnn_backward: the tape comes from another call");
  const RnnSize& s = tape->size;
  check_rnn_backward(
      stack, call, {s.layers, s.directions, s.input, s.hidden, s.words, tape->rows.steps, s.batch});
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
