#include "model/backend/cuda/decode.h"

#include <algorithm>

#include "model/backend/checks.h"
#include "model/backend/cuda/attention_tape.h"
#include "model/backend/cuda/kernels/decoding.h"
#include "model/backend/cuda/kernels/layer.h"

namespace traind::cuda {
namespace {

// Steps between two looks of the host. They are recorded as one piece of work, and so are replayed
// as one graph.
constexpr int kStride = 16;

struct DecodingLayer {
  Array weight_ih;     // [4H,I]
  Array weight_hh;     // [4H,H]
  Matrix h;            // [B,H]
  float* c = nullptr;  // [B,H]
};

struct DecodingMemory {
  Type type = Type::kFloat;
  int batch = 0, hidden = 0, input = 0, words = 0;  // B, H = M, I, V
  int max_steps = 0;
  bool attends = false;
  AttentionMemory attention;          // of one step
  std::vector<DecodingLayer> layers;  // [L]
  Array embedded;                     // [B,I]
  float* gates = nullptr;             // [B,4H]
  Array attended;                     // [B,M]
  Array weight;                       // [V,M]
  float* logits = nullptr;            // [B,V], rows pitch_of(V) apart
  std::int32_t* ids = nullptr;        // [B]
  DecodedRow* rows = nullptr;         // [B]
  std::int32_t* chosen = nullptr;     // [max_steps,B]

  std::size_t state() const { return static_cast<std::size_t>(batch) * hidden; }
  int width_of(std::size_t layer) const { return layer == 0 ? input : hidden; }

  void lay_out(Carver& carver) {
    if (attends) attention.lay_out(carver);
    const std::size_t gate_rows = std::size_t{4} * hidden;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      DecodingLayer& layer = layers[l];
      layer.weight_ih = weight_room(carver, type, gate_rows * width_of(l));
      layer.weight_hh = weight_room(carver, type, gate_rows * hidden);
      // The highest state is the query, and lies where attention reads it.
      const bool query = attends && l + 1 == layers.size();
      layer.h = query ? attention.query() : Matrix{carver.array(type, state()), hidden};
      layer.c = carver.take<float>(state());
    }
    embedded = carver.array(type, static_cast<std::size_t>(batch) * input);
    gates = carver.take<float>(4 * state());
    attended = carver.array(type, attends ? state() : 0);
    weight = weight_room(carver, type, static_cast<std::size_t>(words) * hidden);
    logits = carver.take<float>(static_cast<std::size_t>(batch) * pitch_of(words));
    ids = carver.take<std::int32_t>(batch);
    rows = carver.take<DecodedRow>(batch);
    // Last, so that its size moves nothing else.
    chosen = carver.take<std::int32_t>(static_cast<std::size_t>(max_steps) * batch);
  }
};

struct Decoding {
  Engine& engine;
  const DecodeCall& call;
  DecodingMemory memory;
  AttentionLengths lengths;  // staged for the work that is being recorded

  Recorder& recorder() { return engine.recorder; }
  void stage_lengths();
  void start();
  void step();
  void through_cell(std::size_t l);
  void choose();
  std::vector<DecodedRow> rows();
  std::vector<Decoded> result(const std::vector<DecodedRow>& rows);
};

void Decoding::stage_lengths() {
  const std::vector<std::int32_t> ones(static_cast<std::size_t>(memory.batch), 1);
  lengths.targets = recorder().stage(std::span<const std::int32_t>(ones));
  if (memory.attends) lengths.sources = recorder().stage(call.memory_lengths);
}

void Decoding::start() {
  stage_lengths();
  if (memory.attends) {
    put_sources(recorder(), *call.attention, call.memory, lengths, memory.attention);
  }
  for (std::size_t l = 0; l < memory.layers.size(); ++l) {
    DecodingLayer& layer = memory.layers[l];
    layer.weight_ih = weight_in(recorder(), call.decoder->cells[l].weight_ih, layer.weight_ih);
    layer.weight_hh = weight_in(recorder(), call.decoder->cells[l].weight_hh, layer.weight_hh);
    const std::size_t from = l * memory.state();
    const float* const c = call.initial.c ? call.initial.c.data + from : nullptr;
    const float* const h = call.initial.h ? call.initial.h.data + from : nullptr;
    put_rows(recorder(), h, layer.h, memory.batch, memory.hidden);
    put_rows(recorder(), c, {floats_at(layer.c), memory.hidden}, memory.batch, memory.hidden);
  }
  memory.weight = weight_in(recorder(), call.output.weight, memory.weight);
  DecodingStart begin;
  begin.ids = memory.ids;
  begin.rows = memory.rows;
  begin.begin = recorder().stage(call.begin);
  begin.batch = memory.batch;
  recorder().launch(begin);
}

void Decoding::step() {
  EmbeddedInput embed;
  embed.embedding = call.decoder->embedding.data;
  embed.ids = memory.ids;
  embed.lengths = lengths.targets;
  embed.x = memory.embedded;
  embed.steps = 1;
  embed.batch = memory.batch;
  embed.width = memory.input;
  embed.wide = memory.input;
  recorder().launch(embed);
  for (std::size_t l = 0; l < memory.layers.size(); ++l) through_cell(l);
  if (memory.attends) attend(recorder(), memory.attention, lengths, memory.attended);
  choose();
}

void Decoding::through_cell(std::size_t l) {
  const DecodingLayer& layer = memory.layers[l];
  const int h = memory.hidden;
  const int width = memory.width_of(l);
  const Matrix x = l == 0 ? Matrix{memory.embedded, width} : memory.layers[l - 1].h;
  const Matrix gates{floats_at(memory.gates), 4 * h};
  recorder().multiply(
      product_of(x, {layer.weight_ih, width, true}, gates, {memory.batch, 4 * h, width}));
  recorder().multiply(
      product_of(layer.h, {layer.weight_hh, h, true}, gates, {memory.batch, 4 * h, h, 1, true}));
  DecoderCell cell;
  cell.gates = memory.gates;
  cell.bias_ih = call.decoder->cells[l].bias_ih.data;
  cell.bias_hh = call.decoder->cells[l].bias_hh.data;
  cell.c = layer.c;
  cell.h = layer.h.at;
  cell.batch = memory.batch;
  cell.hidden = h;
  cell.pitch = layer.h.pitch;
  recorder().launch(cell);
}

void Decoding::choose() {
  const int m = memory.hidden;
  const Matrix from = memory.attends ? Matrix{memory.attended, m} : memory.layers.back().h;
  recorder().multiply(product_of(from, {memory.weight, m, true},
                                 {floats_at(memory.logits), pitch_of(memory.words)},
                                 {memory.batch, memory.words, m}));
  NextToken next;
  next.logits = memory.logits;
  next.bias = call.output.bias.data;
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
    result[b].log_probability = rows[b].log_probability;
    const auto count = static_cast<std::size_t>(rows[b].taken - rows[b].ended);
    for (std::size_t i = 0; i < count; ++i) result[b].ids.push_back(chosen[i * rows.size() + b]);
  }
  return result;
}

DecodingMemory memory_for(const DecodeCall& call, Type type) {
  DecodingMemory memory;
  const RnnStack& decoder = *call.decoder;
  memory.type = type;
  memory.hidden = decoder.memory();
  memory.input = decoder.input;
  memory.words = static_cast<int>(call.output.bias.size);
  memory.batch = static_cast<int>(call.begin.size());
  memory.max_steps = std::max(call.max_steps, 0);
  memory.layers.resize(static_cast<std::size_t>(decoder.layers));
  memory.attends = call.attention != nullptr;
  memory.attention.type = type;
  memory.attention.size = {1, call.memory_steps, memory.batch, memory.hidden};
  return memory;
}

}  // namespace

std::vector<Decoded> decode(Engine& engine, const DecodeCall& call) {
  check_decode(call);
  Decoding decoding{engine, call, memory_for(call, engine.recorder.type()), {}};
  const std::size_t staged =
      2 * sizeof(std::int32_t) * decoding.memory.batch + call.memory_lengths.size_bytes();
  engine.recorder.room_for(staged);
  engine.recorder.lay_out(engine.decode_memory, decoding.memory);
  decoding.start();
  std::vector<DecodedRow> rows = decoding.rows();
  const auto unfinished = [](const DecodedRow& row) { return row.ended == 0; };
  for (int done = 0; done < call.max_steps && std::ranges::any_of(rows, unfinished);) {
    engine.recorder.room_for(staged);
    decoding.stage_lengths();
    const int end = std::min(done + kStride, call.max_steps);
    for (; done < end; ++done) decoding.step();
    rows = decoding.rows();
  }
  return decoding.result(rows);
}

}  // namespace traind::cuda
