#include "model/backend/cuda/decode_memory.h"

namespace traind::cuda {

void DecodingMemory::lay_out(Carver& carver) {
  if (attends) attention.lay_out(carver);
  for (std::size_t l = 0; l < layers.size(); ++l) lay_out_layer(carver, l);
  const auto rows_of = static_cast<std::size_t>(row_count());
  const auto gate_floats = rows_of * static_cast<std::size_t>(gate_width());
  embedded = carver.array(type, rows_of * input);
  gates = carver.take<float>(gate_floats);
  state_gates = carver.take<float>(has_c() ? 0 : gate_floats);
  attended = carver.array(type, attends ? state() : 0);
  weight = weight_room(carver, type, static_cast<std::size_t>(words) * hidden);
  logits = carver.take<float>(rows_of * pitch_of(words));
  if (beam > 1) {
    best = carver.take<Candidate>(rows_of * choices());
    return;
  }
  ids = carver.take<std::int32_t>(batch);
  rows = carver.take<DecodedRow>(batch);
  // Last, so that its size moves nothing else.
  chosen = carver.take<std::int32_t>(static_cast<std::size_t>(max_steps) * batch);
}

void DecodingMemory::lay_out_layer(Carver& carver, std::size_t l) {
  DecodingLayer& layer = layers[l];
  const auto gate_rows = static_cast<std::size_t>(gate_width());
  layer.weight_ih = weight_room(carver, type, gate_rows * width_of(l));
  layer.weight_hh = weight_room(carver, type, gate_rows * hidden);
  // The highest state is the query, and lies where attention reads it.
  const bool query = attends && l + 1 == layers.size();
  layer.next_h = query ? attention.query() : Matrix{carver.array(type, state()), hidden};
  layer.next_c = has_c() ? carver.take<float>(state()) : nullptr;
  layer.h = layer.next_h;
  layer.c = layer.next_c;
  if (beam == 1) return;
  layer.h = {carver.array(type, state()), hidden};
  layer.c = has_c() ? carver.take<float>(state()) : nullptr;
}

}  // namespace traind::cuda
