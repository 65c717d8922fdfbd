#include <algorithm>
#include <cstring>

#include "model/backend/cpu/rnn.h"

namespace traind::cpu {
namespace {

// A forward call in the making: the tape, and what is needed only until it returns.
struct Forward {
  const Kernels& kernels;
  const RnnStack& stack;
  const RnnForward& call;
  RnnTape& tape;
  float* table = nullptr;                   // [D][V,4*Hp]
  float* bias = nullptr;                    // [L*D][4*Hp]
  float* h = nullptr;                       // [D][B,Hp] running state
  float* c = nullptr;                       // [D][B,Hp]
  const float** input_packs = nullptr;      // [L*D]
  const float** recurrent_packs = nullptr;  // [L*D]

  void lay_out(Carver& carver) {
    const RnnSize& s = tape.size;
    const std::size_t cells = static_cast<std::size_t>(s.layers) * s.directions;
    const std::size_t state = static_cast<std::size_t>(s.directions) * s.batch * s.padded_hidden;
    table = s.table ? carver.floats(s.directions * s.gates() * s.words) : nullptr;
    bias = carver.floats(cells * s.gates());
    h = carver.floats(state);
    c = carver.floats(state);
    input_packs = carver.take<const float*>(cells);
    recurrent_packs = carver.take<const float*>(cells);
  }
  std::size_t cell(int l, int d) const {
    return static_cast<std::size_t>(l) * tape.size.directions + d;
  }

  void prepare(PackCache& packs);
  void run(const Lane& lane);
  void project(const Lane& lane, int l);
  void draw_masks(const Range& rows, int l);
  void carry(int l, int d, Range sentences);
  void start_state(int l, int d, Range sentences);
  void end_state(int l, int d, Range sentences);
  // One time step of sentences [begin, end); rows [r0, r0 + n) are theirs.
  void step(int l, int d, int t, Range sentences);
  void put_output(int l, int d, int t, int b, int row, const float* h_row);
};

void Forward::prepare(PackCache& packs) {
  const RnnSize& s = tape.size;
  for (int l = 0; l < s.layers; ++l) {
    for (int d = 0; d < s.directions; ++d) {
      const RnnCell& weights = stack.cells[cell(l, d)];
      input_packs[cell(l, d)] = packs.packed(input_source(s, weights, l, true));
      recurrent_packs[cell(l, d)] = packs.packed(recurrent_source(s, weights, true));
      float* sums = bias + cell(l, d) * s.gates();
      for (int g = 0; g < 4; ++g) {
        for (int j = 0; j < s.padded_hidden; ++j) {
          const std::size_t k = s.gate(g) + j;
          sums[s.padded_gate(g) + j] =
              j < s.hidden ? weights.bias_ih.data[k] + weights.bias_hh.data[k] : 0.0f;
        }
      }
    }
  }
  for (int r = 0; r < tape.rows.total; ++r) tape.ids[r] = call.input.ids[tape.rows.place[r]];
}

void Forward::run(const Lane& lane) {
  for (int l = 0; l < tape.size.layers; ++l) {
    project(lane, l);
    lane.wait_for_all();
    const Range units = tape.rows.share(lane, tape.size.directions);
    for (int d = 0; d < tape.size.directions; ++d) {
      const int base = d * tape.size.batch;
      const Range mine = {std::max(units.begin - base, 0),
                          std::min(units.end - base, tape.size.batch)};
      if (mine.size() > 0) carry(l, d, mine);
    }
    lane.wait_for_all();
  }
}

// What the inputs add to the gates, for every token, or for every word of the table.
void Forward::project(const Lane& lane, int l) {
  const RnnSize& s = tape.size;
  const int gates = static_cast<int>(s.gates());
  const int width = s.input_of(l);
  const bool from_table = l == 0 && s.table;
  const Range mine = lane.share(from_table ? s.words : tape.rows.total, 6);
  const float* from = from_table ? stack.embedding.data : tape.inputs(l);
  if (l == 0 && !s.table) {
    for (int r = mine.begin; r < mine.end; ++r) {
      std::memcpy(tape.inputs(0) + static_cast<std::size_t>(r) * width,
                  stack.embedding.data + static_cast<std::size_t>(tape.ids[r]) * width,
                  sizeof(float) * static_cast<std::size_t>(width));
    }
  }
  for (int d = 0; d < s.directions; ++d) {
    float* to = from_table ? table + d * s.gates() * s.words : tape.gates(l, d);
    kernels.multiply({mine.size(), gates, width,
                      from + static_cast<std::size_t>(mine.begin) * width,
                      static_cast<std::size_t>(width), input_packs[cell(l, d)],
                      to + mine.begin * s.gates(), s.gates(), false});
  }
  if (tape.dropped && l + 1 < s.layers) draw_masks(lane.share(tape.rows.total), l);
}

void Forward::draw_masks(const Range& rows, int l) {
  const int width = tape.size.memory;
  MaskRange mask;
  mask.seed = call.mask.seed;
  mask.step = call.mask.step;
  mask.site = call.mask.site + static_cast<std::uint32_t>(l);
  mask.threshold = dropout_threshold(call.dropout);
  mask.count = width;
  for (int r = rows.begin; r < rows.end; ++r) {
    mask.first_element =
        static_cast<std::uint64_t>(tape.rows.place[r]) * static_cast<std::uint64_t>(width);
    mask.keep = tape.kept(l) + static_cast<std::size_t>(r) * width;
    kernels.mask(mask);
  }
}

void Forward::carry(int l, int d, Range sentences) {
  start_state(l, d, sentences);
  for (int i = 0; i < tape.rows.steps; ++i) {
    step(l, d, d == 0 ? i : tape.rows.steps - 1 - i, sentences);
  }
  end_state(l, d, sentences);
}

void Forward::start_state(int l, int d, Range sentences) {
  const RnnSize& s = tape.size;
  const std::size_t hp = static_cast<std::size_t>(s.padded_hidden);
  const std::size_t bytes = sizeof(float) * static_cast<std::size_t>(s.hidden);
  for (int b = sentences.begin; b < sentences.end; ++b) {
    const std::size_t at = (static_cast<std::size_t>(d) * s.batch + b) * hp;
    std::memset(h + at, 0, sizeof(float) * hp);
    std::memset(c + at, 0, sizeof(float) * hp);
    const std::size_t from = s.state(l, b, d);
    if (call.initial.h) std::memcpy(h + at, call.initial.h.data + from, bytes);
    if (call.initial.c) std::memcpy(c + at, call.initial.c.data + from, bytes);
  }
}

void Forward::end_state(int l, int d, Range sentences) {
  const RnnSize& s = tape.size;
  const std::size_t bytes = sizeof(float) * static_cast<std::size_t>(s.hidden);
  for (int b = sentences.begin; b < sentences.end; ++b) {
    const std::size_t at = (static_cast<std::size_t>(d) * s.batch + b) * s.padded_hidden;
    const std::size_t to = s.state(l, b, d);
    if (call.last.h) std::memcpy(call.last.h.data + to, h + at, bytes);
    if (call.last.c) std::memcpy(call.last.c.data + to, c + at, bytes);
  }
}

void Forward::step(int l, int d, int t, Range sentences) {
  const RnnSize& s = tape.size;
  const std::size_t hp = static_cast<std::size_t>(s.padded_hidden);
  const std::size_t first = tape.rows.begin(t, sentences.begin);
  const int n = tape.rows.begin(t, sentences.end) - static_cast<int>(first);
  float* gates = tape.gates(l, d) + first * s.gates();
  float* h_before = tape.h_before(l, d) + first * hp;
  float* c_before = tape.c_before(l, d) + first * hp;
  float* h_state = h + static_cast<std::size_t>(d) * s.batch * hp;
  float* c_state = c + static_cast<std::size_t>(d) * s.batch * hp;
  std::size_t k = 0;
  for (int b = sentences.begin; b < sentences.end; ++b) {
    if (!tape.rows.active(t, b)) continue;
    std::memcpy(h_before + k * hp, h_state + b * hp, sizeof(float) * hp);
    std::memcpy(c_before + k * hp, c_state + b * hp, sizeof(float) * hp);
    if (l == 0 && s.table) {
      const std::size_t word = static_cast<std::size_t>(d) * s.words + tape.ids[first + k];
      std::memcpy(gates + k * s.gates(), table + word * s.gates(), sizeof(float) * s.gates());
    }
    ++k;
  }
  // The zero state at the start of the whole batch adds nothing.
  const bool fresh =
      !call.initial.h && (d == 0 || tape.rows.full) && t == (d == 0 ? 0 : tape.rows.steps - 1);
  if (n > 0 && !fresh) {
    kernels.multiply({n, static_cast<int>(s.gates()), s.hidden, h_before, hp,
                      recurrent_packs[cell(l, d)], gates, s.gates(), true});
  }
  k = 0;
  for (int b = sentences.begin; b < sentences.end; ++b) {
    if (tape.rows.active(t, b)) {
      kernels.gate_step({s.padded_hidden, gates + k * s.gates(), bias + cell(l, d) * s.gates(),
                         c_before + k * hp, c_state + b * hp, h_state + b * hp});
      put_output(l, d, t, b, static_cast<int>(first + k), h_state + b * hp);
      ++k;
    } else {
      put_output(l, d, t, b, -1, nullptr);
    }
  }
}

// row < 0: padding.
void Forward::put_output(int l, int d, int t, int b, int row, const float* h_row) {
  const RnnSize& s = tape.size;
  const std::size_t bytes = sizeof(float) * static_cast<std::size_t>(s.hidden);
  const std::size_t width = static_cast<std::size_t>(s.memory);
  const std::size_t column = s.column(d);
  if (l + 1 == s.layers) {
    float* to = call.output.data + (static_cast<std::size_t>(t) * s.batch + b) * width + column;
    row < 0 ? std::memset(to, 0, bytes) : std::memcpy(to, h_row, bytes);
    return;
  }
  if (row < 0) return;
  const std::size_t at = static_cast<std::size_t>(row) * width + column;
  if (tape.dropped) {
    kernels.drop(s.hidden, tape.kept(l) + at, tape.keep_scale, h_row, tape.inputs(l + 1) + at);
  } else {
    std::memcpy(tape.inputs(l + 1) + at, h_row, bytes);
  }
}

RnnSize size_of(const RnnStack& stack, const RnnForward& call) {
  RnnSize s;
  s.layers = stack.layers;
  s.directions = stack.directions;
  s.input = stack.input;
  s.hidden = stack.hidden;
  s.padded_hidden = padded(stack.hidden);
  s.memory = stack.memory();
  s.words = stack.words;
  s.batch = call.input.batch();
  s.table = static_cast<std::size_t>(stack.words) < call.input.ids.size();
  return s;
}

}  // namespace

std::unique_ptr<Tape> rnn_forward(Engine& engine, const RnnStack& stack, const RnnForward& call) {
  check_rnn_forward(stack, call);
  std::unique_ptr<RnnTape> tape(new (engine.arena) RnnTape);
  tape->size = size_of(stack, call);
  tape->keep = call.training;
  tape->dropped = call.training && call.dropout > 0 && stack.layers > 1;
  tape->keep_scale = 1.0f / (1.0f - call.dropout);
  tape->rows.steps = call.input.steps;
  tape->rows.batch = call.input.batch();
  tape->memory = lend(engine.arena, *tape);
  tape->rows.fill(call.input.lengths);

  Forward forward{engine.kernels, stack, call, *tape};
  const Lease workspace = lend(engine.arena, forward);
  forward.prepare(engine.packs);
  const double operations = 2.0 * tape->rows.total * stack.layers * stack.directions *
                            static_cast<double>(tape->size.gates()) *
                            (stack.hidden + stack.memory());
  engine.team.run(engine.team.lanes_for(operations), [&](const Lane& lane) { forward.run(lane); });
  if (!call.training) return nullptr;
  return tape;
}

}  // namespace traind::cpu
