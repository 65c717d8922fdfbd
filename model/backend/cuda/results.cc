#include "model/backend/cuda/results.h"

#include "model/backend/checks.h"
#include "model/backend/cuda/engine.h"

namespace traind::cuda {

Results::Results(Device& device)
    : device_(device),
      pending_(static_cast<LossSum*>(device.allocate(sizeof(LossSum)))),
      shared_(static_cast<Shared*>(device.allocate_shared(sizeof(Shared)))) {
  device_.zero(pending_, sizeof(LossSum));
}

Results::~Results() {
  device_.release_shared(shared_);
  device_.release(pending_);
}

std::int32_t Results::next_slot() const {
  require(marks_.size() < kSlots, "update: 64 results wait to be taken by take_result()");
  return (first_ + static_cast<std::int32_t>(marks_.size())) % kSlots;
}

void Results::promise(std::int64_t mark) { marks_.push_back(mark); }

StepResult Results::take() {
  require(!marks_.empty(), "take_result: no update() is left to report on");
  device_.wait_for(marks_.front());
  const StepResult result = shared_->slots[first_];
  marks_.pop_front();
  first_ = (first_ + 1) % kSlots;
  return result;
}

LossSum Results::evaluated_by(std::int64_t mark) {
  device_.wait_for(mark);
  return shared_->evaluated;
}

StepResult take_result(Engine& engine) { return engine.results.take(); }

}  // namespace traind::cuda
