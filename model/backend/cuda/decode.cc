#include "model/backend/cuda/decode.h"

#include <algorithm>

#include "model/backend/checks.h"
#include "model/backend/cuda/decode_memory.h"
#include "model/backend/cuda/kernels/layer.h"

namespace traind::cuda {
namespace {

// Steps between two looks of the host. They are recorded as one piece of work, and so are replayed
// as one graph.
constexpr int kStride = 16;

struct Decoding {
  Engine& engine;
  const DecodeCall& call;
  DecodingMemory memory;
  // Staged for the work that is being recorded.
  AttentionLengths lengths;                 // to attention
  const std::int32_t* ones = nullptr;       // [R]
  const std::int32_t* ids = nullptr;        // [R] fed next
  const std::int32_t* parents = nullptr;    // [R], with a beam
  const TokenSampling* sampling = nullptr;  // of a sampler

  Recorder& recorder() { return engine.recorder; }
  std::size_t staged_bytes() const;
  void stage_lengths();
  void put_model();
  void step();
  void go_on_from_parents();
  void through_cell(std::size_t l);
  void put_lstm(std::size_t l);
  void put_gru(std::size_t l);
  void project();

  std::vector<Decoded> greedy();
  void start_rows();
  void choose();
  std::vector<DecodedRow> rows();
  std::vector<Decoded> result(const std::vector<DecodedRow>& rows);

  std::vector<Decoded> with_beam();
  std::vector<Candidate> candidates();
};

std::size_t Decoding::staged_bytes() const {
  const auto all = static_cast<std::size_t>(memory.row_count());
  return sizeof(std::int32_t) * (3 * all + 2 * call.begin.size()) +
         call.memory_lengths.size_bytes() + sizeof(TokenSampling);
}

void Decoding::stage_lengths() {
  const std::vector<std::int32_t> steps(static_cast<std::size_t>(memory.row_count()), 1);
  ones = recorder().stage(std::span<const std::int32_t>(steps));
  if (call.search.temperature > 0) {
    sampling = recorder().stage(TokenSampling{call.search.seed, call.search.temperature, 0});
  }
  if (!memory.attends) return;
  const std::vector<std::int32_t> targets(call.begin.size(), memory.beam);
  lengths.targets = recorder().stage(std::span<const std::int32_t>(targets));
  lengths.sources = recorder().stage(call.memory_lengths);
}

// Weights, sources and the initial state, this as if a step with one hypothesis for each sentence
// had left it.
void Decoding::put_model() {
  if (memory.attends) {
    put_sources(recorder(), *call.attention, call.memory, lengths, memory.attention);
  }
  const std::size_t state = call.begin.size() * static_cast<std::size_t>(memory.hidden);
  for (std::size_t l = 0; l < memory.layers.size(); ++l) {
    DecodingLayer& layer = memory.layers[l];
    layer.weight_ih = weight_in(recorder(), call.decoder->cells[l].weight_ih, layer.weight_ih);
    layer.weight_hh = weight_in(recorder(), call.decoder->cells[l].weight_hh, layer.weight_hh);
    const float* const h = call.initial.h ? call.initial.h.data + l * state : nullptr;
    put_rows(recorder(), h, layer.next_h, memory.batch, memory.hidden);
    if (!memory.has_c()) continue;
    const float* const c = call.initial.c ? call.initial.c.data + l * state : nullptr;
    put_rows(recorder(), c, {floats_at(layer.next_c), memory.hidden}, memory.batch, memory.hidden);
  }
  memory.weight = weight_in(recorder(), call.output.weight, memory.weight);
}

void Decoding::step() {
  if (memory.beam > 1) go_on_from_parents();
  EmbeddedInput embed;
  embed.embedding = call.decoder->embedding.data;
  embed.ids = ids;
  embed.lengths = ones;
  embed.x = memory.embedded;
  embed.steps = 1;
  embed.batch = memory.row_count();
  embed.width = memory.input;
  embed.wide = memory.input;
  recorder().launch(embed);
  for (std::size_t l = 0; l < memory.layers.size(); ++l) through_cell(l);
  if (memory.attends) attend(recorder(), memory.attention, lengths, memory.attended);
  project();
}

void Decoding::go_on_from_parents() {
  RowsByParent move;
  move.parents = parents;
  move.rows = memory.row_count();
  move.width = memory.hidden;
  for (const DecodingLayer& layer : memory.layers) {
    move.from = layer.next_h.at;
    move.from_pitch = layer.next_h.pitch;
    move.to = layer.h.at;
    move.to_pitch = layer.h.pitch;
    recorder().launch(move);
    if (!memory.has_c()) continue;
    move.from = floats_at(layer.next_c);
    move.to = floats_at(layer.c);
    move.from_pitch = move.to_pitch = memory.hidden;
    recorder().launch(move);
  }
}

void Decoding::through_cell(std::size_t l) {
  const DecodingLayer& layer = memory.layers[l];
  const int h = memory.hidden;
  const int g = memory.gate_width();
  const int width = memory.width_of(l);
  const int all = memory.row_count();
  const Matrix x = l == 0 ? Matrix{memory.embedded, width} : memory.layers[l - 1].next_h;
  const Matrix gates{floats_at(memory.gates), g};
  // A GRU's candidate takes its part over the state times the reset gate.
  const bool together = memory.has_c();
  const Matrix state_gates = together ? gates : Matrix{floats_at(memory.state_gates), g};
  recorder().multiply(product_of(x, {layer.weight_ih, width, true}, gates, {all, g, width}));
  recorder().multiply(
      product_of(layer.h, {layer.weight_hh, h, true}, state_gates, {all, g, h, 1, together}));
  if (together) {
    put_lstm(l);
  } else {
    put_gru(l);
  }
}

void Decoding::put_lstm(std::size_t l) {
  const DecodingLayer& layer = memory.layers[l];
  LstmDecoderCell cell;
  cell.gates = memory.gates;
  cell.bias_ih = call.decoder->cells[l].bias_ih.data;
  cell.bias_hh = call.decoder->cells[l].bias_hh.data;
  cell.c = layer.c;
  cell.next_c = layer.next_c;
  cell.next_h = layer.next_h.at;
  cell.rows = memory.row_count();
  cell.hidden = memory.hidden;
  cell.pitch = layer.next_h.pitch;
  recorder().launch(cell);
}

void Decoding::put_gru(std::size_t l) {
  const DecodingLayer& layer = memory.layers[l];
  GruDecoderCell cell;
  cell.from_input = memory.gates;
  cell.from_state = memory.state_gates;
  cell.bias_ih = call.decoder->cells[l].bias_ih.data;
  cell.bias_hh = call.decoder->cells[l].bias_hh.data;
  cell.h = layer.h.at;
  cell.next_h = layer.next_h.at;
  cell.rows = memory.row_count();
  cell.hidden = memory.hidden;
  cell.pitch = layer.h.pitch;
  cell.next_pitch = layer.next_h.pitch;
  recorder().launch(cell);
}

void Decoding::project() {
  const int m = memory.hidden;
  const Matrix from = memory.attends ? Matrix{memory.attended, m} : memory.layers.back().next_h;
  recorder().multiply(product_of(from, {memory.weight, m, true},
                                 {floats_at(memory.logits), pitch_of(memory.words)},
                                 {memory.row_count(), memory.words, m}));
}

// One hypothesis for each sentence, and the device goes on by itself.
std::vector<Decoded> Decoding::greedy() {
  recorder().room_for(staged_bytes());
  stage_lengths();
  put_model();
  start_rows();
  ids = memory.ids;
  std::vector<DecodedRow> now = rows();
  const auto unfinished = [](const DecodedRow& row) { return row.ended == 0; };
  for (int done = 0; done < memory.max_steps && std::ranges::any_of(now, unfinished);) {
    recorder().room_for(staged_bytes());
    stage_lengths();
    const int end = std::min(done + kStride, memory.max_steps);
    for (; done < end; ++done) {
      step();
      choose();
    }
    now = rows();
  }
  return result(now);
}

void Decoding::start_rows() {
  DecodingStart begin;
  begin.ids = memory.ids;
  begin.rows = memory.rows;
  begin.begin = recorder().stage(call.begin);
  begin.batch = memory.batch;
  recorder().launch(begin);
}

void Decoding::choose() {
  NextToken next;
  next.logits = memory.logits;
  next.bias = call.output.bias.data;
  next.sampling = sampling;
  next.ids = memory.ids;
  next.rows = memory.rows;
  next.chosen = memory.chosen;
  next.batch = memory.batch;
  next.words = memory.words;
  next.pitch = pitch_of(memory.words);
  next.end = call.end;
  recorder().launch(next);
}

// Starts all that is recorded; waits.
std::vector<DecodedRow> Decoding::rows() {
  std::vector<DecodedRow> rows(static_cast<std::size_t>(memory.batch));
  recorder().flush();
  engine.device.copy_out(rows.data(), memory.rows, rows.size() * sizeof(DecodedRow));
  engine.device.wait();
  return rows;
}

std::vector<Decoded> Decoding::result(const std::vector<DecodedRow>& rows) {
  std::int32_t longest = 0;
  for (const DecodedRow& row : rows) longest = std::max(longest, row.taken);
  std::vector<std::int32_t> chosen(static_cast<std::size_t>(longest) * rows.size());
  if (longest > 0) {
    engine.device.copy_out(chosen.data(), memory.chosen, chosen.size() * sizeof(std::int32_t));
    engine.device.wait();
  }
  std::vector<Decoded> result(rows.size());
  for (std::size_t b = 0; b < rows.size(); ++b) {
    const auto taken = static_cast<std::size_t>(rows[b].taken);
    result[b].log_probability = rows[b].log_probability;
    result[b].score = search_score(rows[b].log_probability, taken, call.search.length_alpha);
    result[b].ended = rows[b].ended != 0;
    const std::size_t count = result[b].ended ? taken - 1 : taken;
    for (std::size_t i = 0; i < count; ++i) result[b].ids.push_back(chosen[i * rows.size() + b]);
  }
  return result;
}

std::vector<Decoded> Decoding::with_beam() {
  BeamSearch search(call);
  for (bool first = true; !search.over(); first = false) {
    recorder().room_for(staged_bytes());
    stage_lengths();
    ids = recorder().stage(search.ids());
    parents = recorder().stage(search.parents());
    if (first) put_model();
    step();
    search.advance(candidates());
  }
  return search.result();
}

// Starts all that is recorded; waits.
std::vector<Candidate> Decoding::candidates() {
  BestTokens find;
  find.logits = memory.logits;
  find.bias = call.output.bias.data;
  find.best = memory.best;
  find.rows = memory.row_count();
  find.words = memory.words;
  find.pitch = pitch_of(memory.words);
  find.most = memory.choices();
  recorder().launch(find);
  std::vector<Candidate> best(static_cast<std::size_t>(memory.row_count()) *
                              static_cast<std::size_t>(memory.choices()));
  recorder().flush();
  engine.device.copy_out(best.data(), memory.best, best.size() * sizeof(Candidate));
  engine.device.wait();
  return best;
}

DecodingMemory memory_for(const DecodeCall& call, Type type) {
  DecodingMemory memory;
  const RnnStack& decoder = *call.decoder;
  memory.type = type;
  memory.cell = decoder.cell;
  memory.hidden = decoder.memory();
  memory.input = decoder.input;
  memory.words = static_cast<int>(call.output.bias.size);
  memory.batch = static_cast<int>(call.begin.size());
  memory.beam = call.search.beam;
  memory.max_steps = std::max(call.max_steps, 0);
  memory.layers.resize(static_cast<std::size_t>(decoder.layers));
  memory.attends = call.attention != nullptr;
  memory.attention.type = type;
  memory.attention.size = {memory.beam, call.memory_steps, memory.batch, memory.hidden};
  return memory;
}

}  // namespace

std::vector<Decoded> decode(Engine& engine, const DecodeCall& call) {
  check_decode(call);
  Decoding decoding{engine, call, memory_for(call, engine.recorder.type()), {}};
  engine.recorder.room_for(decoding.staged_bytes());
  engine.recorder.lay_out(engine.decode_memory, decoding.memory);
  return call.search.beam > 1 ? decoding.with_beam() : decoding.greedy();
}

}  // namespace traind::cuda
