#include "model/backend/cpu/decode.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/backend/beam_search.h"
#include "model/backend/cpu/attention.h"
#include "model/backend/cpu/rnn.h"
#include "model/backend/sampling.h"

namespace traind::cpu {
namespace {

// A row for each hypothesis: that of hypothesis k of sentence b is k*B + b. So a step's states are
// [L,rows,M], and to attention the hypotheses are target steps, which share the sentence's memory.
struct Decoding {
  Engine& engine;
  const DecodeCall& call;
  std::size_t batch = 0;             // B
  int beam = 1;                      // K
  int choices = 1;                   // candidates of a row
  int width = 0;                     // M
  int words = 0;                     // V
  std::size_t rows = 0;              // of the step, at most K*B
  std::int32_t* ids = nullptr;       // [rows] fed
  std::int32_t* ones = nullptr;      // [K*B] lengths of one step
  std::int32_t* targets = nullptr;   // [B] how many hypotheses attend
  float* before = nullptr;           // h, then c, each [L,rows,M]
  float* after = nullptr;            // likewise, of the step before
  float* hidden = nullptr;           // [rows,M]
  float* attended = nullptr;         // [rows,M]
  float* logits = nullptr;           // [rows,V]
  float* weights = nullptr;          // [rows,V] to draw by
  Candidate* candidates = nullptr;   // [rows,choices]
  std::span<const float> bias = {};  // [V]

  bool has_c() const { return call.decoder->cell == CellKind::kLstm; }
  bool draws() const { return call.search.temperature > 0; }
  std::size_t states() const {
    return static_cast<std::size_t>(call.decoder->layers) * rows * static_cast<std::size_t>(width);
  }
  void lay_out(Carver& carver);
  void start();
  // Feeds each row its id and goes on from its parent's state; leaves the candidates.
  void step(const BeamSearch& search, int index);
  void go_on_from(std::span<const std::int32_t> parents);
  void attend();
  void score(int row, int index);
  void take_best(int row);
  std::int32_t draw(int row, int index);
};

void Decoding::lay_out(Carver& carver) {
  const std::size_t most = batch * static_cast<std::size_t>(beam);
  const std::size_t m = width;
  const std::size_t v = words;
  const std::size_t state_floats = static_cast<std::size_t>(call.decoder->layers) * most * m;
  ids = carver.take<std::int32_t>(most);
  ones = carver.take<std::int32_t>(most);
  targets = carver.take<std::int32_t>(batch);
  before = carver.floats(2 * state_floats);
  after = carver.floats(2 * state_floats);
  hidden = carver.floats(most * m);
  attended = carver.floats(most * m);
  logits = carver.floats(most * v);
  weights = carver.floats(draws() ? most * v : 0);
  candidates = carver.take<Candidate>(most * static_cast<std::size_t>(choices));
}

// As if the initial state came out of a step with one hypothesis for each sentence.
void Decoding::start() {
  std::fill_n(ones, batch * static_cast<std::size_t>(beam), 1);
  rows = batch;
  std::memset(after, 0, sizeof(float) * 2 * states());
  if (call.initial.h) std::memcpy(after, call.initial.h.data, sizeof(float) * states());
  if (call.initial.c) std::memcpy(after + states(), call.initial.c.data, sizeof(float) * states());
}

void Decoding::go_on_from(std::span<const std::int32_t> parents) {
  const std::size_t m = width;
  const std::size_t last_rows = rows;
  rows = parents.size();
  const int kinds = has_c() ? 2 : 1;
  for (int state = 0; state < kinds * call.decoder->layers; ++state) {
    for (std::size_t row = 0; row < rows; ++row) {
      const std::size_t from = state * last_rows + static_cast<std::size_t>(parents[row]);
      std::memcpy(before + (state * rows + row) * m, after + from * m, sizeof(float) * m);
    }
  }
}

void Decoding::step(const BeamSearch& search, int index) {
  const std::size_t now = batch * static_cast<std::size_t>(search.width());
  go_on_from(search.parents().first(now));
  std::ranges::copy(search.ids().first(now), ids);
  const std::size_t floats = rows * static_cast<std::size_t>(width);
  RnnForward recurrence;
  recurrence.input = {{ids, rows}, {ones, rows}, 1};
  recurrence.initial.h = {before, states()};
  recurrence.last.h = {after, states()};
  if (has_c()) {
    recurrence.initial.c = {before + states(), states()};
    recurrence.last.c = {after + states(), states()};
  }
  recurrence.output = {hidden, floats};
  recurrence.training = false;
  rnn_forward(engine, *call.decoder, recurrence);
  if (call.attention != nullptr) attend();
  const float* from = call.attention != nullptr ? attended : hidden;
  const void* packed = engine.packs.packed(forward_form(call.output.weight.data, words, width));
  const int lanes = engine.team.lanes_for(2.0 * static_cast<double>(floats) * words);
  engine.team.run(lanes, [&](const Lane& lane) {
    const Range mine = lane.share(static_cast<int>(rows), 6);
    const std::size_t m = width;
    const std::size_t v = words;
    engine.kernels.multiply({mine.size(), words, width, from + mine.begin * m, m, packed,
                             logits + mine.begin * v, v, false});
    for (int row = mine.begin; row < mine.end; ++row) score(row, index);
  });
}

void Decoding::attend() {
  const std::size_t floats = rows * static_cast<std::size_t>(width);
  AttentionForward attention;
  attention.query_steps = static_cast<int>(rows / batch);
  std::fill_n(targets, batch, attention.query_steps);
  attention.query = {hidden, floats};
  attention.memory = call.memory;
  attention.lengths = call.memory_lengths;
  attention.query_lengths = {targets, batch};
  attention.memory_steps = call.memory_steps;
  attention.width = width;
  attention.output = {attended, floats};
  attention.training = false;
  attention_forward(engine, *call.attention, attention);
}

// Logits of a row without the bias to its candidates.
void Decoding::score(int row, int index) {
  float* const mine = logits + static_cast<std::size_t>(row) * words;
  Candidate* const to = candidates + static_cast<std::size_t>(row) * choices;
  engine.kernels.add(words, bias.data(), mine);
  if (draws()) {
    to->id = draw(row, index);
    to->log_probability = mine[to->id];
  } else {
    take_best(row);
  }
  SoftmaxRow softmax;
  softmax.words = words;
  softmax.logits = mine;
  engine.kernels.softmax(softmax);
  const double whole =
      static_cast<double>(softmax.highest) + std::log(static_cast<double>(softmax.sum));
  for (int i = 0; i < choices; ++i) to[i].log_probability -= whole;
}

// The highest logits, still as logits; what is no number is the lowest.
void Decoding::take_best(int row) {
  const float* const mine = logits + static_cast<std::size_t>(row) * words;
  Candidate* const best = candidates + static_cast<std::size_t>(row) * choices;
  const auto above = [](double one, double other) {
    return one > other || (std::isnan(other) && !std::isnan(one));
  };
  int count = 0;
  for (std::int32_t id = 0; id < words; ++id) {
    const double logit = mine[id];
    if (count == choices && !above(logit, best[count - 1].log_probability)) continue;
    if (count < choices) ++count;
    int at = count - 1;
    for (; at > 0 && above(logit, best[at - 1].log_probability); --at) best[at] = best[at - 1];
    best[at] = {logit, id, 0};
  }
}

std::int32_t Decoding::draw(int row, int index) {
  const std::size_t at = static_cast<std::size_t>(row) * words;
  SoftmaxRow softmax;
  softmax.words = words;
  softmax.logits = weights + at;
  std::memcpy(softmax.logits, logits + at, sizeof(float) * static_cast<std::size_t>(words));
  engine.kernels.scale(words, 1 / call.search.temperature, softmax.logits);
  engine.kernels.softmax(softmax);
  return drawn_token(
      words, [&](std::int32_t id) { return softmax.logits[id]; },
      token_draw(call.search.seed, static_cast<std::uint32_t>(row),
                 static_cast<std::uint32_t>(index)));
}

}  // namespace

std::vector<Decoded> decode(Engine& engine, const DecodeCall& call) {
  check_decode(call);
  BeamSearch search(call);
  Decoding decoding{engine, call};
  decoding.batch = call.begin.size();
  decoding.beam = call.search.beam;
  decoding.choices = search.choices();
  decoding.width = call.decoder->memory();
  decoding.words = static_cast<int>(call.output.bias.size);
  decoding.bias = {call.output.bias.data, call.output.bias.size};
  const Lease workspace = lend(engine.arena, decoding);
  decoding.start();
  for (int index = 0; !search.over(); ++index) {
    decoding.step(search, index);
    const std::size_t count = decoding.rows * static_cast<std::size_t>(decoding.choices);
    search.advance({decoding.candidates, count});
  }
  return search.result();
}

}  // namespace traind::cpu
