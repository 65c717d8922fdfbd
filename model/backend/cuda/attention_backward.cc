#include "model/backend/checks.h"
#include "model/backend/cuda/attention.h"
#include "model/backend/cuda/attention_tape.h"
#include "model/backend/cuda/kernels/attention.h"

namespace traind::cuda {
namespace {

// What a backward pass needs only until it returns.
struct BackwardMemory {
  Type type = Type::kFloat;
  AttentionSize size;
  Array d_sums;               // [T,B,M] before the tanh
  Array d_context;            // [T,B,M]
  float* d_shares = nullptr;  // [B,T,S]
  Array d_scores;             // [B,T,S]; in float32 where d_shares were
  Array d_projected;          // [T,B,M]

  void lay_out(Carver& carver) {
    d_sums = carver.array(type, size.floats());
    d_context = carver.array(type, size.floats());
    d_shares = carver.take<float>(size.share_count());
    const bool in_place = type == Type::kFloat;
    d_scores = in_place ? floats_at(d_shares) : carver.array(type, size.share_count());
    d_projected = carver.array(type, size.floats());
  }
};

struct Backward {
  Recorder& recorder;
  const AttentionBackward& call;
  const AttentionMemory& forward;
  const BackwardMemory& memory;

  void through_output(const std::int32_t* query_lengths);
  void through_shares();
  void source_gradient();
  void weight_gradients();
};

void Backward::through_output(const std::int32_t* query_lengths) {
  const AttentionSize& size = memory.size;
  const int m = size.width;
  TanhBack back;
  back.y = forward.outputs;
  back.d_output = call.d_output.data;
  back.lengths = query_lengths;
  back.d_sums = memory.d_sums;
  back.steps = size.steps;
  back.batch = size.batch;
  back.width = m;
  recorder.launch(back);
  const Matrix d_sums{memory.d_sums, m};
  recorder.multiply(
      product_of(d_sums, {forward.combine, 2 * m}, {memory.d_context, m}, {size.rows(), m, m}));
  recorder.multiply(product_of(d_sums, {forward.combine.part(m), 2 * m},
                               {floats_at(call.d_query.data), m}, {size.rows(), m, m}));
}

void Backward::through_shares() {
  const AttentionSize& size = memory.size;
  const int m = size.width;
  recorder.multiply(product_of(
      size.sentences(memory.d_context, m), size.sentences(forward.source, m, true),
      size.shares(floats_at(memory.d_shares)), {size.steps, size.memory_steps, m, size.batch}));
  AttentionSharesBack back;
  back.shares = forward.shares;
  back.d_shares = memory.d_shares;
  back.d_scores = memory.d_scores;
  back.rows = static_cast<std::size_t>(size.rows());
  back.memory_steps = size.memory_steps;
  back.pitch = size.share_pitch();
  recorder.launch(back);
  recorder.multiply(product_of(size.shares(memory.d_scores), size.sentences(forward.source, m),
                               size.sentences(memory.d_projected, m),
                               {size.steps, m, size.memory_steps, size.batch}));
  recorder.multiply(product_of({memory.d_projected, m}, {forward.score, m, true},
                               {floats_at(call.d_query.data), m}, {size.rows(), m, m, 1, true}));
}

void Backward::source_gradient() {
  const AttentionSize& size = memory.size;
  const int m = size.width;
  const Matrix d_source = size.sentences(floats_at(call.d_memory.data), m);
  const Extent extent{size.memory_steps, m, size.steps, size.batch};
  Extent added = extent;
  added.accumulate = true;
  recorder.multiply(product_of(size.shares(forward.shares, true),
                               size.sentences(memory.d_context, m), d_source, extent));
  recorder.multiply(product_of(size.shares(memory.d_scores, true),
                               size.sentences(forward.projected, m), d_source, added));
}

void Backward::weight_gradients() {
  const int m = memory.size.width;
  const int rows = memory.size.rows();
  Matrix query = forward.query();
  query.transposed = true;
  recorder.multiply(product_of(query, {memory.d_projected, m},
                               {floats_at(call.gradients->score.data), m}, {m, m, rows, 1, true}));
  recorder.multiply(product_of({memory.d_sums, m, true}, forward.context(),
                               {floats_at(call.gradients->combine.data), 2 * m},
                               {m, 2 * m, rows, 1, true}));
}

}  // namespace

void attention_backward(Engine& engine, const AttentionWeights&, const AttentionBackward& call,
                        Tape& any_tape) {
  auto* tape = dynamic_cast<AttentionTape*>(&any_tape);
  require(tape != nullptr, "attention_backward: the tape comes from another call");
  const AttentionSize& size = tape->memory.size;
  check_attention_backward(call, {size.steps, size.memory_steps, size.batch, size.width});
  Recorder& recorder = engine.recorder;
  recorder.room_for(tape->query_lengths.size() * sizeof(std::int32_t));
  BackwardMemory memory;
  memory.type = tape->memory.type;
  memory.size = size;
  recorder.lay_out(engine.attention_memory, memory);
  Backward backward{recorder, call, tape->memory, memory};
  backward.through_output(recorder.stage(std::span<const std::int32_t>(tape->query_lengths)));
  backward.through_shares();
  backward.source_gradient();
  backward.weight_gradients();
}

}  // namespace traind::cuda
