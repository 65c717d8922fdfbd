#include "model/backend/cuda/update.h"

#include <cmath>

#include "model/backend/checks.h"
#include "model/backend/cuda/kernels/update.h"

namespace traind::cuda {
namespace {

struct UpdateMemory {
  std::size_t pieces = 0;
  double* sums = nullptr;  // [pieces]
  UpdatePlan* plan = nullptr;

  void lay_out(Carver& carver) {
    sums = carver.take<double>(pieces);
    plan = carver.take<UpdatePlan>(1);
  }
};

UpdateNow now_of(const UpdateStep& step, std::int32_t slot) {
  UpdateNow now;
  now.slot = slot;
  now.rate = step.rate;
  if (step.optimizer == Optimizer::kSgd) return now;
  const double first_correction = 1 - std::pow(static_cast<double>(step.beta1), step.step);
  const double second_correction = 1 - std::pow(static_cast<double>(step.beta2), step.step);
  now.rate = static_cast<float>(step.rate / first_correction);
  now.second_correction_root = static_cast<float>(std::sqrt(second_correction));
  const bool decays = step.optimizer == Optimizer::kAdamW;
  if (decays) now.keep = static_cast<float>(1 - double{step.rate} * double{step.weight_decay});
  return now;
}

AdamUpdate adam_of(const UpdateStep& step, const UpdateNow* now, const UpdatePlan* plan) {
  AdamUpdate update;
  update.parameters = step.parameters.data;
  update.gradients = step.gradients.data;
  update.first_moment = step.first_moment.data;
  update.second_moment = step.second_moment.data;
  update.now = now;
  update.plan = plan;
  update.size = step.parameters.size;
  update.beta1 = step.beta1;
  update.beta2 = step.beta2;
  update.epsilon = step.epsilon;
  return update;
}

SgdUpdate sgd_of(const UpdateStep& step, const UpdateNow* now, const UpdatePlan* plan) {
  SgdUpdate update;
  update.parameters = step.parameters.data;
  update.gradients = step.gradients.data;
  update.moment = step.first_moment.data;
  update.now = now;
  update.plan = plan;
  update.size = step.parameters.size;
  update.momentum = step.momentum;
  update.decay = step.weight_decay;
  return update;
}

}  // namespace

void update(Engine& engine, const UpdateStep& step) {
  check_update(step);
  const std::int32_t slot = engine.results.next_slot();
  Recorder& recorder = engine.recorder;
  recorder.room_for(sizeof(UpdateNow));
  SquareSums squares;
  squares.values = step.gradients.data;
  squares.size = step.gradients.size;
  UpdateMemory memory;
  memory.pieces = squares.count();
  recorder.lay_out(engine.update_memory, memory);
  const UpdateNow* const now = recorder.stage(now_of(step, slot));
  squares.sums = memory.sums;
  recorder.launch(squares);
  UpdateDecision decision;
  decision.sums = memory.sums;
  decision.now = now;
  decision.loss_scale = step.loss_scale.data;
  decision.pending = engine.results.pending();
  decision.reports = engine.results.slots();
  decision.plan = memory.plan;
  decision.pieces = memory.pieces;
  decision.clip_norm = step.clip_norm;
  recorder.launch(decision);
  if (step.optimizer == Optimizer::kSgd) {
    recorder.launch(sgd_of(step, now, memory.plan));
  } else {
    recorder.launch(adam_of(step, now, memory.plan));
  }
  engine.results.promise(recorder.flush());
}

}  // namespace traind::cuda
