#include "model/backend/cuda/loss.h"

#include "model/backend/checks.h"
#include "model/backend/cuda/kernels/loss.h"
#include "model/backend/cuda/kernels/rows.h"
#include "model/backend/cuda/operands.h"

namespace traind::cuda {
namespace {

struct LossMemory {
  Type type = Type::kFloat;
  SequenceSize size;  // T, B, M
  int words = 0;      // V
  bool training = false;
  Array hidden;             // [T,B,M]
  Array weight;             // [V,M]; none in float32
  float* logits = nullptr;  // [T,B,V], rows pitch() apart
  Array d_logits;           // [T,B,V], likewise; in float32 where the logits were
  Array ones;               // [T,B]
  double* nats = nullptr;
  Outcome* outcomes = nullptr;

  int places() const { return size.steps * size.batch; }
  int pitch() const { return pitch_of(words); }

  void lay_out(Carver& carver) {
    const std::size_t rows = places();
    hidden = carver.array(type, rows * size.width);
    weight = weight_room(carver, type, static_cast<std::size_t>(words) * size.width);
    logits = carver.take<float>(rows * pitch());
    nats = carver.take<double>(rows);
    outcomes = carver.take<Outcome>(rows);
    if (!training) return;
    const bool in_place = type == Type::kFloat;
    d_logits = in_place ? floats_at(logits) : carver.array(type, rows * pitch());
    ones = carver.array(type, rows);
  }
};

struct Loss {
  Recorder& recorder;
  const LossCall& call;
  LossMemory memory;
  const std::int32_t* targets = nullptr;  // on the device
  const std::int32_t* lengths = nullptr;
  const float* gradient_scale = nullptr;

  void project();
  void score();
  void gradients();
  void total(LossSum* to);
};

void Loss::project() {
  const int m = call.width;
  put_sequence(recorder, call.hidden.data, lengths, {memory.hidden, m}, memory.size);
  memory.weight = weight_in(recorder, call.weights.weight, memory.weight);
  recorder.multiply(product_of({memory.hidden, m}, {memory.weight, m, true},
                               {floats_at(memory.logits), memory.pitch()},
                               {memory.places(), call.words, m}));
}

void Loss::score() {
  CrossEntropy entropy;
  entropy.logits = memory.logits;
  entropy.bias = call.weights.bias.data;
  entropy.targets = targets;
  entropy.lengths = lengths;
  entropy.gradient_scale = gradient_scale;
  entropy.loss_scale = call.loss_scale.data;
  entropy.d_logits = memory.d_logits;
  entropy.nats = memory.nats;
  entropy.outcomes = memory.outcomes;
  entropy.steps = memory.size.steps;
  entropy.batch = memory.size.batch;
  entropy.words = call.words;
  entropy.smoothing = call.smoothing;
  entropy.pitch = memory.pitch();
  recorder.launch(entropy);
}

void Loss::gradients() {
  const int m = call.width;
  const int v = call.words;
  const int rows = memory.places();
  const Matrix d_logits{memory.d_logits, memory.pitch()};
  Matrix by_word = d_logits;
  by_word.transposed = true;
  recorder.multiply(
      product_of(d_logits, {memory.weight, m}, {floats_at(call.d_hidden.data), m}, {rows, m, v}));
  recorder.multiply(product_of(by_word, {memory.hidden, m},
                               {floats_at(call.gradients->weight.data), m}, {v, m, rows, 1, true}));
  Ones ones;
  ones.to = memory.ones;
  ones.size = static_cast<std::size_t>(rows);
  recorder.launch(ones);
  recorder.multiply(product_of({memory.ones, rows}, d_logits,
                               {floats_at(call.gradients->bias.data), v}, {1, v, rows, 1, true}));
}

void Loss::total(LossSum* to) {
  LossTotal total;
  total.nats = memory.nats;
  total.outcomes = memory.outcomes;
  total.to = to;
  total.rows = memory.places();
  total.add = memory.training ? 1 : 0;
  recorder.launch(total);
}

}  // namespace

LossSum loss(Engine& engine, const LossCall& call) {
  check_loss(call);
  Recorder& recorder = engine.recorder;
  recorder.room_for(call.targets.ids.size_bytes() + call.targets.lengths.size_bytes() +
                    sizeof call.gradient_scale);
  Loss loss{recorder, call, {}};
  loss.memory.type = recorder.type();
  loss.memory.size = {call.targets.steps, call.targets.batch(), call.width};
  loss.memory.words = call.words;
  loss.memory.training = call.gradients != nullptr;
  recorder.lay_out(engine.loss_memory, loss.memory);
  loss.targets = recorder.stage(call.targets.ids);
  loss.lengths = recorder.stage(call.targets.lengths);
  loss.gradient_scale = recorder.stage(call.gradient_scale);
  loss.project();
  loss.score();
  if (loss.memory.training) {
    loss.gradients();
    loss.total(engine.results.pending());
    return {};
  }
  loss.total(engine.results.evaluated());
  return engine.results.evaluated_by(recorder.flush());
}

}  // namespace traind::cuda
