#include <algorithm>
#include <cstring>

#include "model/backend/cpu/rnn.h"

namespace traind::cpu {
namespace {

// With fewer rows at a step, a lane's products would spend their time on fetching weights: inputs
// are then projected for all steps at once.
constexpr int kRowsWorthAStep = 24;

// What a lane keeps of the sentence at hand.
enum LaneRow { kNewH, kDroppedH, kLastState, kLaneRows };

// A forward call in the making: the tape, and what is needed only until it returns.
struct Forward {
  const Kernels& kernels;
  const RnnStack& stack;
  const RnnForward& call;
  RnnTape& tape;
  int lanes = 1;
  bool by_step = false;                // inputs are projected at their step
  float* table = nullptr;              // [D][V,4*Hp]
  float* bias = nullptr;               // [L*D][4*Hp]
  float* rows = nullptr;               // [lanes][LaneRow][Hp]
  const void** input_packs = nullptr;  // [L*D]
  const void** state_packs = nullptr;  // [L*D]

  void lay_out(Carver& carver) {
    const RnnSize& s = tape.size;
    const std::size_t cells = static_cast<std::size_t>(s.layers) * s.directions;
    table = s.table ? carver.floats(s.directions * s.gates() * s.words) : nullptr;
    bias = carver.floats(cells * s.gates());
    rows = carver.floats(static_cast<std::size_t>(lanes) * kLaneRows * s.padded_hidden);
    input_packs = carver.take<const void*>(cells);
    state_packs = carver.take<const void*>(cells);
  }
  std::size_t cell(int l, int d) const {
    return static_cast<std::size_t>(l) * tape.size.directions + d;
  }
  bool from_table(int l) const { return l == 0 && tape.size.table; }
  float* lane_row(const Lane& lane, LaneRow which) const {
    return rows +
           (static_cast<std::size_t>(lane.index()) * kLaneRows + which) * tape.size.padded_hidden;
  }
  float* output_at(int t, int b) const {
    return call.output.data +
           (static_cast<std::size_t>(t) * tape.size.batch + b) * tape.size.memory;
  }

  void prepare(PackCache& packs);
  void sum_biases(int l, int d);
  void run(const Lane& lane);
  void project_ahead(const Lane& lane, int l);
  void embed(Range mine);
  void project_words(int d, Range words);
  void project(int l, int d, Range mine);
  void carry(const Lane& lane, int l, int d, Range sentences);
  void start_state(int l, int d, int b);
  // One time step of the sentences.
  void step(const Lane& lane, int l, int d, int t, Range sentences);
  void start_gates(int l, int d, Range mine);
  // The cell of sentence b at t, whose row that is.
  void finish(const Lane& lane, int l, int d, int t, int b, int row);
  void feed(const Lane& lane, int l, int d, int row, const float* h);
};

// The odd operand of a pair must not be what lay there before.
void clear_padding(const Operands& rows, int row, std::size_t width) {
  std::memset(rows.at(row, width), 0, (rows.stride - width) * rows.bytes);
}

void Forward::prepare(PackCache& packs) {
  const RnnSize& s = tape.size;
  for (int l = 0; l < s.layers; ++l) {
    for (int d = 0; d < s.directions; ++d) {
      const RnnCell& weights = stack.cells[cell(l, d)];
      input_packs[cell(l, d)] = packs.packed(input_source(s, weights, l, true));
      state_packs[cell(l, d)] = packs.packed(state_source(s, weights, true));
      sum_biases(l, d);
    }
  }
  for (int r = 0; r < tape.rows.total; ++r) tape.ids[r] = call.input.ids[tape.rows.place[r]];
}

void Forward::sum_biases(int l, int d) {
  const RnnSize& s = tape.size;
  const RnnCell& weights = stack.cells[cell(l, d)];
  float* sums = bias + cell(l, d) * s.gates();
  std::memset(sums, 0, sizeof(float) * s.gates());
  for (int g = 0; g < gates_of(s.cell); ++g) {
    const auto add = [&](const GateBlocks& blocks, const Tensor& from) {
      kernels.add(s.hidden, from.data + s.gate(g), sums + s.block(blocks.block_of(g)));
    };
    add(input_blocks(s.cell), weights.bias_ih);
    add(state_blocks(s.cell), weights.bias_hh);
  }
}

void Forward::run(const Lane& lane) {
  const RnnSize& s = tape.size;
  for (int l = 0; l < s.layers; ++l) {
    project_ahead(lane, l);
    const Range units = tape.rows.share(lane, s.directions);
    for (int d = 0; d < s.directions; ++d) {
      const int base = d * s.batch;
      const Range mine = {std::max(units.begin - base, 0), std::min(units.end - base, s.batch)};
      if (mine.size() > 0) carry(lane, l, d, mine);
    }
    lane.wait_for_all();
  }
}

// What lanes do for a layer before they go their own ways.
void Forward::project_ahead(const Lane& lane, int l) {
  const RnnSize& s = tape.size;
  if (by_step && l > 0) return;
  const Range mine = lane.share(from_table(l) ? s.words : tape.rows.total, 6);
  if (l == 0 && !s.table) embed(mine);
  for (int d = 0; d < s.directions; ++d) {
    if (from_table(l)) {
      project_words(d, mine);
    } else if (!by_step) {
      project(l, d, mine);
    }
  }
  lane.wait_for_all();
}

void Forward::embed(Range mine) {
  const RnnSize& s = tape.size;
  const Operands inputs = tape.inputs(0);
  for (int r = mine.begin; r < mine.end; ++r) {
    kernels.round(s.input, stack.embedding.data + static_cast<std::size_t>(tape.ids[r]) * s.input,
                  inputs.at(r));
    clear_padding(inputs, r, s.input);
  }
}

// What the words of the table add to the gates.
void Forward::project_words(int d, Range words) {
  const RnnSize& s = tape.size;
  const GateBlocks blocks = input_blocks(s.cell);
  const auto width = static_cast<std::size_t>(s.input);
  const std::size_t first = static_cast<std::size_t>(d) * s.words + words.begin;
  kernels.multiply({words.size(), s.block_columns(blocks), s.input,
                    stack.embedding.data + words.begin * width, width, input_packs[cell(0, d)],
                    table + first * s.gates() + s.block(blocks.first), s.gates()});
}

// What the inputs of these rows add to the gates.
void Forward::project(int l, int d, Range mine) {
  const RnnSize& s = tape.size;
  const GateBlocks blocks = input_blocks(s.cell);
  const Operands inputs = tape.inputs(l);
  kernels.multiply({mine.size(), s.block_columns(blocks), s.input_of(l), inputs.at(mine.begin),
                    inputs.stride, input_packs[cell(l, d)],
                    tape.gates(l, d) + mine.begin * s.gates() + s.block(blocks.first), s.gates(),
                    false, true});
}

void Forward::carry(const Lane& lane, int l, int d, Range sentences) {
  for (int b = sentences.begin; b < sentences.end; ++b) start_state(l, d, b);
  for (int i = 0; i < tape.rows.steps; ++i) {
    step(lane, l, d, d == 0 ? i : tape.rows.steps - 1 - i, sentences);
  }
}

void Forward::start_state(int l, int d, int b) {
  const RnnSize& s = tape.size;
  const int row = tape.rows.begin(d == 0 ? 0 : tape.rows.lengths[b] - 1, b);
  const Operands h = tape.h_before(l, d);
  float* state = tape.state_before(l, d) + static_cast<std::size_t>(row) * s.padded_hidden;
  const float* first_h = call.initial.h ? call.initial.h.data + s.state(l, b, d) : nullptr;
  const float* first_c = call.initial.c ? call.initial.c.data + s.state(l, b, d) : nullptr;
  std::memset(h.at(row), 0, h.stride * h.bytes);
  std::memset(state, 0, sizeof(float) * s.block(1));
  if (first_h != nullptr) kernels.round(s.hidden, first_h, h.at(row));
  const float* first_state = s.cell == CellKind::kGru ? first_h : first_c;
  if (first_state != nullptr) std::memcpy(state, first_state, sizeof(float) * s.hidden);
}

void Forward::step(const Lane& lane, int l, int d, int t, Range sentences) {
  const RnnSize& s = tape.size;
  const Range mine = {tape.rows.begin(t, sentences.begin), tape.rows.begin(t, sentences.end)};
  start_gates(l, d, mine);
  // The zero state at the start of the whole batch adds nothing.
  const bool fresh =
      !call.initial.h && (d == 0 || tape.rows.full) && t == (d == 0 ? 0 : tape.rows.steps - 1);
  if (mine.size() > 0 && !fresh) {
    const GateBlocks blocks = state_blocks(s.cell);
    const Operands h = tape.h_before(l, d);
    kernels.multiply({mine.size(), s.block_columns(blocks), s.hidden, h.at(mine.begin), h.stride,
                      state_packs[cell(l, d)],
                      tape.gates(l, d) + mine.begin * s.gates() + s.block(blocks.first), s.gates(),
                      true, true});
  }
  int row = mine.begin;
  for (int b = sentences.begin; b < sentences.end; ++b) {
    if (tape.rows.active(t, b)) {
      finish(lane, l, d, t, b, row++);
    } else if (l + 1 == s.layers) {
      std::memset(output_at(t, b) + s.column(d), 0, sizeof(float) * s.hidden);
    }
  }
}

// The gates before the state adds to them.
void Forward::start_gates(int l, int d, Range mine) {
  const RnnSize& s = tape.size;
  const GateBlocks inputs = input_blocks(s.cell);
  const std::size_t of_inputs = s.block(inputs.count);
  float* gates = tape.gates(l, d);
  for (int r = mine.begin; r < mine.end; ++r) {
    float* row = gates + r * s.gates();
    if (from_table(l)) {
      const std::size_t word = static_cast<std::size_t>(d) * s.words + tape.ids[r];
      std::memcpy(row, table + word * s.gates(), sizeof(float) * of_inputs);
    }
    std::memset(row + of_inputs, 0, sizeof(float) * (s.gates() - of_inputs));
  }
  if (by_step && !from_table(l)) project(l, d, mine);
}

void Forward::finish(const Lane& lane, int l, int d, int t, int b, int row) {
  const RnnSize& s = tape.size;
  const std::size_t hp = s.block(1);
  const int next = tape.rows.next(t, b, d == 0);
  float* states = tape.state_before(l, d);
  float* after = next >= 0 ? states + next * hp : lane_row(lane, kLastState);
  const bool gru = s.cell == CellKind::kGru;
  float* h = gru ? after : lane_row(lane, kNewH);
  const GateStep cell_step{s.padded_hidden,
                           tape.gates(l, d) + row * s.gates(),
                           bias + cell(l, d) * s.gates(),
                           states + row * hp,
                           after,
                           h};
  gru ? kernels.gru_step(cell_step) : kernels.lstm_step(cell_step);
  if (next >= 0) {
    kernels.round(s.padded_hidden, h, tape.h_before(l, d).at(next));
  } else {
    const std::size_t bytes = sizeof(float) * s.hidden;
    if (call.last.h) std::memcpy(call.last.h.data + s.state(l, b, d), h, bytes);
    if (call.last.c) std::memcpy(call.last.c.data + s.state(l, b, d), after, bytes);
  }
  if (l + 1 == s.layers) {
    std::memcpy(output_at(t, b) + s.column(d), h, sizeof(float) * s.hidden);
  } else {
    feed(lane, l, d, row, h);
  }
}

// Row `row` of the next layer's inputs, as far as direction d gives it.
void Forward::feed(const Lane& lane, int l, int d, int row, const float* h) {
  const RnnSize& s = tape.size;
  const Operands inputs = tape.inputs(l + 1);
  if (tape.dropped) {
    const std::uint64_t width = s.memory;
    MaskRange mask;
    mask.seed = call.mask.seed;
    mask.step = call.mask.step;
    mask.site = call.mask.site + static_cast<std::uint32_t>(l);
    mask.threshold = dropout_threshold(call.dropout);
    mask.first_element = tape.rows.place[row] * width + s.column(d);
    mask.count = s.hidden;
    mask.keep = tape.kept(l) + row * width + s.column(d);
    kernels.mask(mask);
    float* dropped = lane_row(lane, kDroppedH);
    kernels.drop(s.hidden, mask.keep, tape.keep_scale, h, dropped);
    h = dropped;
  }
  kernels.round(s.hidden, h, inputs.at(row, s.column(d)));
  if (d + 1 == s.directions) clear_padding(inputs, row, s.memory);
}

RnnSize size_of(const Engine& engine, const RnnStack& stack, const RnnForward& call) {
  RnnSize s;
  s.cell = stack.cell;
  s.layers = stack.layers;
  s.directions = stack.directions;
  s.input = stack.input;
  s.hidden = stack.hidden;
  s.padded_hidden = padded(stack.hidden);
  s.memory = stack.memory();
  s.words = stack.words;
  s.batch = call.input.batch();
  s.table = engine.by_word && static_cast<std::size_t>(stack.words) < call.input.ids.size();
  return s;
}

}  // namespace

std::unique_ptr<Tape> rnn_forward(Engine& engine, const RnnStack& stack, const RnnForward& call) {
  check_rnn_forward(stack, call);
  std::unique_ptr<RnnTape> tape(new (engine.arena) RnnTape);
  tape->size = size_of(engine, stack, call);
  tape->keep = call.training;
  tape->dropped = call.training && call.dropout > 0 && stack.layers > 1;
  tape->keep_scale = 1.0f / (1.0f - call.dropout);
  tape->round_bytes = engine.kernels.round_bytes;
  tape->rows.steps = call.input.steps;
  tape->rows.batch = call.input.batch();
  tape->memory = lend(engine.arena, *tape);
  tape->rows.fill(call.input.lengths);

  Forward forward{engine.kernels, stack, call, *tape};
  const double operations = 2.0 * tape->rows.total * stack.layers * stack.directions *
                            static_cast<double>(tape->size.gates()) *
                            (stack.hidden + stack.memory());
  forward.lanes = engine.team.lanes_for(operations);
  forward.by_step =
      tape->rows.total * stack.directions >= kRowsWorthAStep * call.input.steps * forward.lanes;
  const Lease workspace = lend(engine.arena, forward);
  forward.prepare(engine.packs);
  engine.team.run(forward.lanes, [&](const Lane& lane) { forward.run(lane); });
  if (!call.training) return nullptr;
  return tape;
}

}  // namespace traind::cpu
