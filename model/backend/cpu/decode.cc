#include "model/backend/cpu/decode.h"

#include <cmath>
#include <cstring>

#include "model/backend/cpu/attention.h"
#include "model/backend/cpu/rnn.h"

namespace traind::cpu {
namespace {

struct Decoding {
  Engine& engine;
  const DecodeCall& call;
  int batch = 0;                 // B
  int width = 0;                 // M
  int words = 0;                 // V
  std::int32_t* ids = nullptr;   // [B] fed next
  std::int32_t* ones = nullptr;  // [B] lengths of one step
  float* state = nullptr;        // h and c before and after the step, each [L,B,M]
  float* hidden = nullptr;       // [B,M]
  float* attended = nullptr;     // [B,M]
  float* logits = nullptr;       // [B,V]

  std::size_t state_floats() const {
    return static_cast<std::size_t>(call.decoder->layers) * batch * width;
  }
  void lay_out(Carver& carver);
  void start();
  // Leaves the logits of the next token, without the bias.
  void step(bool odd);
  // Appends the likeliest token to each row that has not ended; false when all have.
  bool choose(std::vector<Decoded>& rows, std::vector<bool>& ended);
};

void Decoding::lay_out(Carver& carver) {
  ids = carver.take<std::int32_t>(batch);
  ones = carver.take<std::int32_t>(batch);
  state = carver.floats(4 * state_floats());
  hidden = carver.floats(static_cast<std::size_t>(batch) * width);
  attended = carver.floats(static_cast<std::size_t>(batch) * width);
  logits = carver.floats(static_cast<std::size_t>(batch) * words);
}

void Decoding::start() {
  const std::size_t floats = state_floats();
  std::memset(state, 0, sizeof(float) * 2 * floats);
  if (call.initial.h) std::memcpy(state, call.initial.h.data, sizeof(float) * floats);
  if (call.initial.c) std::memcpy(state + floats, call.initial.c.data, sizeof(float) * floats);
  for (int b = 0; b < batch; ++b) {
    ids[b] = call.begin[b];
    ones[b] = 1;
  }
}

void Decoding::step(bool odd) {
  const std::size_t floats = state_floats();
  const std::size_t rows = static_cast<std::size_t>(batch) * width;
  float* before = state + (odd ? 2 * floats : 0);
  float* after = state + (odd ? 0 : 2 * floats);
  const std::span<const std::int32_t> one_step(ones, static_cast<std::size_t>(batch));
  RnnForward lstm;
  lstm.input = {{ids, static_cast<std::size_t>(batch)}, one_step, 1};
  lstm.initial = {{before, floats}, {before + floats, floats}};
  lstm.last = {{after, floats}, {after + floats, floats}};
  lstm.output = {hidden, rows};
  lstm.training = false;
  rnn_forward(engine, *call.decoder, lstm);
  if (call.attention != nullptr) {
    AttentionForward attention;
    attention.query = {hidden, rows};
    attention.memory = call.memory;
    attention.lengths = call.memory_lengths;
    attention.query_lengths = one_step;
    attention.query_steps = 1;
    attention.memory_steps = call.memory_steps;
    attention.width = width;
    attention.output = {attended, rows};
    attention.training = false;
    attention_forward(engine, *call.attention, attention);
  }
  const float* from = call.attention != nullptr ? attended : hidden;
  const float* packed = engine.packs.packed(forward_form(call.output.weight.data, words, width));
  const int lanes = engine.team.lanes_for(2.0 * static_cast<double>(rows) * words);
  engine.team.run(lanes, [&](const Lane& lane) {
    const Range mine = lane.share(batch, 6);
    const std::size_t m = width;
    const std::size_t v = words;
    engine.kernels.multiply({mine.size(), words, width, from + mine.begin * m, m, packed,
                             logits + mine.begin * v, v, false});
  });
}

bool Decoding::choose(std::vector<Decoded>& rows, std::vector<bool>& ended) {
  bool more = false;
  for (int b = 0; b < batch; ++b) {
    if (ended[b]) continue;
    SoftmaxRow softmax;
    softmax.words = words;
    softmax.logits = logits + static_cast<std::size_t>(b) * words;
    softmax.bias = call.output.bias.data;
    engine.kernels.softmax(softmax);
    rows[b].log_probability -= std::log(static_cast<double>(softmax.sum));
    ids[b] = softmax.best;
    if (softmax.best == call.end) {
      ended[b] = true;
      continue;
    }
    rows[b].ids.push_back(softmax.best);
    more = true;
  }
  return more;
}

}  // namespace

std::vector<Decoded> decode(Engine& engine, const DecodeCall& call) {
  check_decode(call);
  Decoding decoding{engine, call};
  decoding.width = call.decoder->memory();
  decoding.words = static_cast<int>(call.output.bias.size);
  decoding.batch = static_cast<int>(call.begin.size());
  const Lease workspace = lend(engine.arena, decoding);
  decoding.start();
  std::vector<Decoded> rows(static_cast<std::size_t>(decoding.batch));
  std::vector<bool> ended(static_cast<std::size_t>(decoding.batch), false);
  for (int i = 0; i < call.max_steps; ++i) {
    decoding.step(i % 2 != 0);
    if (!decoding.choose(rows, ended)) break;
  }
  return rows;
}

}  // namespace traind::cpu
