#include "model/backend/cpu/loss.h"

#include <cmath>
#include <cstring>

#include "model/backend/cpu/rows.h"

namespace traind::cpu {
namespace {

struct Loss {
  const Kernels& kernels;
  const LossCall& call;
  float gradient_scale = 1;  // that of the loss scaling included
  int lanes = 1;
  RowMap rows = {};
  float* hidden = nullptr;          // [rows,M]
  float* logits = nullptr;          // [rows,V] and, with gradients, what comes back through them
  float* d_hidden = nullptr;        // [rows,M]
  double* nats = nullptr;           // [rows]
  std::uint8_t* correct = nullptr;  // [rows]
  float* d_bias = nullptr;          // [V]
  float* scratch = nullptr;         // [lanes][scratch_floats]
  std::size_t scratch_floats = 0;
  const void* forward_pack = nullptr;
  const void* backward_pack = nullptr;

  bool training() const { return call.gradients != nullptr; }
  void lay_out(Carver& carver);
  void run(const Lane& lane);
  void score(int row);
  void weight_gradients(const Lane& lane);
  LossSum sum() const;
};

void Loss::lay_out(Carver& carver) {
  const std::size_t most = static_cast<std::size_t>(rows.steps) * rows.batch;
  rows.lay_out(carver);
  hidden = carver.floats(most * call.width);
  logits = carver.floats(most * call.words);
  nats = carver.take<double>(most);
  correct = carver.take<std::uint8_t>(most);
  if (!training()) return;
  scratch_floats = kernels.outer_scratch(call.words / lanes + 12);
  d_hidden = carver.floats(most * call.width);
  d_bias = carver.floats(call.words);
  scratch = carver.floats(scratch_floats * lanes);
}

void Loss::run(const Lane& lane) {
  const std::size_t m = call.width;
  const std::size_t v = call.words;
  const Range mine = lane.share(rows.total, 6);
  for (int r = mine.begin; r < mine.end; ++r) {
    std::memcpy(hidden + r * m, call.hidden.data + rows.place[r] * m, sizeof(float) * m);
  }
  kernels.multiply({mine.size(), call.words, call.width, hidden + mine.begin * m, m, forward_pack,
                    logits + mine.begin * v, v, false});
  for (int r = mine.begin; r < mine.end; ++r) score(r);
  if (!training()) return;
  kernels.multiply({mine.size(), call.width, call.words, logits + mine.begin * v, v, backward_pack,
                    d_hidden + mine.begin * m, m, false});
  for (int r = mine.begin; r < mine.end; ++r) {
    std::memcpy(call.d_hidden.data + rows.place[r] * m, d_hidden + r * m, sizeof(float) * m);
  }
  const Range places = lane.share(rows.steps * rows.batch);
  for (int place = places.begin; place < places.end; ++place) {
    if (rows.active(place / rows.batch, place % rows.batch)) continue;
    std::memset(call.d_hidden.data + place * m, 0, sizeof(float) * m);
  }
  lane.wait_for_all();
  weight_gradients(lane);
}

// The loss of one row; with gradients its logits become gradient_scale * (p - q), q being the
// smoothed target: 1 - e on it, and e spread over all words.
void Loss::score(int row) {
  const int target = call.targets.ids[static_cast<std::size_t>(rows.place[row])];
  SoftmaxRow softmax;
  softmax.words = call.words;
  softmax.logits = logits + static_cast<std::size_t>(row) * call.words;
  softmax.bias = call.weights.bias.data;
  const float logit = softmax.logits[target] + softmax.bias[target];
  kernels.softmax(softmax);
  nats[row] = std::log(static_cast<double>(softmax.sum)) -
              (static_cast<double>(logit) - static_cast<double>(softmax.highest));
  correct[row] = softmax.best == target ? 1 : 0;
  if (!training()) return;
  kernels.scale(call.words, gradient_scale / softmax.sum, softmax.logits);
  softmax.logits[target] -= gradient_scale * (1 - call.smoothing);
  if (call.smoothing == 0) return;
  const float share = gradient_scale * call.smoothing / static_cast<float>(call.words);
  for (int i = 0; i < call.words; ++i) softmax.logits[i] -= share;
}

void Loss::weight_gradients(const Lane& lane) {
  const std::size_t m = call.width;
  const std::size_t v = call.words;
  const Range mine = lane.share(call.words, 6);
  if (mine.size() == 0) return;
  kernels.multiply_outer({mine.size(), call.width, rows.total, logits + mine.begin, v, hidden, m,
                          call.gradients->weight.data + mine.begin * m, m,
                          scratch + lane.index() * scratch_floats});
  std::memset(d_bias + mine.begin, 0, sizeof(float) * static_cast<std::size_t>(mine.size()));
  kernels.add_column_sums(rows.total, mine.size(), logits + mine.begin, v, d_bias + mine.begin);
  kernels.add(mine.size(), d_bias + mine.begin, call.gradients->bias.data + mine.begin);
}

// In the order of the rows, whichever lane had them.
LossSum Loss::sum() const {
  LossSum sum;
  sum.tokens = rows.total;
  for (int r = 0; r < rows.total; ++r) {
    sum.loss += nats[r];
    sum.correct += correct[r];
  }
  return sum;
}

}  // namespace

LossSum loss(Engine& engine, const LossCall& call) {
  check_loss(call);
  Loss loss{engine.kernels, call};
  loss.gradient_scale = call.gradient_scale * (call.loss_scale ? *call.loss_scale.data : 1);
  loss.rows.steps = call.targets.steps;
  loss.rows.batch = call.targets.batch();
  const double places = static_cast<double>(loss.rows.steps) * loss.rows.batch;
  loss.lanes = engine.team.lanes_for(2.0 * places * call.width * call.words);
  const Lease workspace = lend(engine.arena, loss);
  loss.rows.fill(call.targets.lengths);
  const float* weight = call.weights.weight.data;
  loss.forward_pack = engine.packs.packed(forward_form(weight, call.words, call.width));
  if (loss.training()) {
    loss.backward_pack = engine.packs.packed(backward_form(weight, call.words, call.width));
  }
  engine.team.run(loss.lanes, [&](const Lane& lane) { loss.run(lane); });
  return loss.sum();
}

}  // namespace traind::cpu
