#include "model/backend/checks.h"
#include "model/backend/cuda/attention.h"
#include "model/backend/cuda/attention_tape.h"
#include "model/backend/cuda/kernels/attention.h"

namespace traind::cuda {

void AttentionMemory::lay_out(Carver& carver) {
  const std::size_t m = size.width;
  joined = carver.array(type, 2 * size.floats());
  source = carver.array(type, static_cast<std::size_t>(size.memory_steps) * size.batch * m);
  projected = carver.array(type, size.floats());
  scores = carver.take<float>(size.share_count());
  const bool in_place = type == Type::kFloat;
  shares = in_place ? floats_at(scores) : carver.array(type, size.share_count());
  outputs = carver.take<float>(size.floats());
  score = weight_room(carver, type, m * m);
  combine = weight_room(carver, type, 2 * m * m);
}

void put_sources(Recorder& recorder, const AttentionWeights& weights, Tensor sources,
                 const AttentionLengths& lengths, AttentionMemory& memory) {
  const AttentionSize& size = memory.size;
  memory.score = weight_in(recorder, weights.score, memory.score);
  memory.combine = weight_in(recorder, weights.combine, memory.combine);
  put_sequence(recorder, sources.data, lengths.sources, {memory.source, size.width},
               {size.memory_steps, size.batch, size.width});
}

void attend(Recorder& recorder, const AttentionMemory& memory, const AttentionLengths& lengths,
            Array output) {
  const AttentionSize& size = memory.size;
  const int m = size.width;
  const Matrix context = size.sentences(memory.joined, 2 * m);
  recorder.multiply(
      product_of(memory.query(), {memory.score, m}, {memory.projected, m}, {size.rows(), m, m}));
  recorder.multiply(product_of(
      size.sentences(memory.projected, m), size.sentences(memory.source, m, true),
      size.shares(floats_at(memory.scores)), {size.steps, size.memory_steps, m, size.batch}));
  AttentionShares shares;
  shares.scores = memory.scores;
  shares.lengths = lengths.sources;
  shares.query_lengths = lengths.targets;
  shares.shares = memory.shares;
  shares.batch = size.batch;
  shares.steps = size.steps;
  shares.memory_steps = size.memory_steps;
  shares.pitch = size.share_pitch();
  recorder.launch(shares);
  recorder.multiply(product_of(size.shares(memory.shares), size.sentences(memory.source, m),
                               context, {size.steps, m, size.memory_steps, size.batch}));
  recorder.multiply(product_of(memory.context(), {memory.combine, 2 * m, true},
                               {floats_at(memory.outputs), m}, {size.rows(), m, 2 * m}));
  TanhOut out;
  out.sums = memory.outputs;
  out.output = output;
  out.size = size.floats();
  recorder.launch(out);
}

std::unique_ptr<Tape> attention_forward(Engine& engine, const AttentionWeights& weights,
                                        const AttentionForward& call) {
  check_attention_forward(weights, call);
  Recorder& recorder = engine.recorder;
  recorder.room_for(call.lengths.size_bytes() + call.query_lengths.size_bytes());
  std::unique_ptr<AttentionTape> tape;
  if (call.training) tape = std::make_unique<AttentionTape>(engine);
  AttentionMemory memory;
  memory.type = recorder.type();
  memory.size = {call.query_steps, call.memory_steps, static_cast<int>(call.lengths.size()),
                 call.width};
  recorder.lay_out(tape ? *tape->region : engine.attention_memory, memory);
  const AttentionLengths lengths{recorder.stage(call.lengths), recorder.stage(call.query_lengths)};
  put_sources(recorder, weights, call.memory, lengths, memory);
  put_sequence(recorder, call.query.data, lengths.targets, memory.query(),
               {memory.size.steps, memory.size.batch, memory.size.width});
  attend(recorder, memory, lengths, floats_at(call.output.data));
  if (!tape) return nullptr;
  tape->memory = memory;
  tape->query_lengths.assign(call.query_lengths.begin(), call.query_lengths.end());
  return tape;
}

}  // namespace traind::cuda
