#include "model/backend/cuda/update.h"

#include <cmath>

#include "model/backend/checks.h"
#include "model/backend/cuda/kernels/adam.h"

namespace traind::cuda {
namespace {

struct AdamMemory {
  std::size_t pieces = 0;
  double* sums = nullptr;  // [pieces]
  AdamPlan* plan = nullptr;

  void lay_out(Carver& carver) {
    sums = carver.take<double>(pieces);
    plan = carver.take<AdamPlan>(1);
  }
};

AdamNow now_of(const UpdateStep& step, std::int32_t slot) {
  const double first_correction = 1 - std::pow(static_cast<double>(step.beta1), step.step);
  const double second_correction = 1 - std::pow(static_cast<double>(step.beta2), step.step);
  return {static_cast<float>(step.rate / first_correction),
          static_cast<float>(std::sqrt(second_correction)), slot};
}

AdamUpdate update_of(const UpdateStep& step, const AdamNow* now, const AdamPlan* plan) {
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

}  // namespace

void update(Engine& engine, const UpdateStep& step) {
  check_update(step);
  const std::int32_t slot = engine.results.next_slot();
  Recorder& recorder = engine.recorder;
  recorder.room_for(sizeof(AdamNow));
  SquareSums squares;
  squares.values = step.gradients.data;
  squares.size = step.gradients.size;
  AdamMemory memory;
  memory.pieces = squares.count();
  recorder.lay_out(engine.adam_memory, memory);
  const AdamNow* const now = recorder.stage(now_of(step, slot));
  squares.sums = memory.sums;
  recorder.launch(squares);
  AdamDecision decision;
  decision.sums = memory.sums;
  decision.now = now;
  decision.loss_scale = step.loss_scale.data;
  decision.pending = engine.results.pending();
  decision.reports = engine.results.slots();
  decision.plan = memory.plan;
  decision.pieces = memory.pieces;
  decision.clip_norm = step.clip_norm;
  recorder.launch(decision);
  recorder.launch(update_of(step, now, memory.plan));
  engine.results.promise(recorder.flush());
}

}  // namespace traind::cuda
