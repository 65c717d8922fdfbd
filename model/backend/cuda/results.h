// Where the device puts what loss() and update() report, and who may read it when.
//
// The host never waits for a number in the middle of a step: sums of loss() gather on the device,
// update() writes them with its own into the next slot of a ring that the host can read, and
// take() waits for the oldest slot only. Owned by the backend, used by its thread.
#pragma once

#include <cstdint>
#include <deque>

#include "model/backend/backend.h"
#include "model/backend/cuda/device.h"

namespace traind::cuda {

struct Engine;

class Results {
 public:
  static constexpr int kSlots = 64;

  explicit Results(Device& device);
  ~Results();
  Results(const Results&) = delete;
  Results& operator=(const Results&) = delete;

  // For kernels. The sum of the loss() calls since the last update(), which empties it.
  LossSum* pending() const { return pending_; }
  // The sum of the loss() call that evaluates.
  LossSum* evaluated() const { return &shared_->evaluated; }
  StepResult* slots() const { return shared_->slots; }  // [kSlots]

  // Which slot the next update() writes. Throws Error(kDevice) when nobody took so many results.
  std::int32_t next_slot() const;
  // That slot is written once the device's queue has passed `mark`.
  void promise(std::int64_t mark);
  // The oldest promised result; waits. Throws Error(kDevice) when none was promised.
  StepResult take();
  // Waits.
  LossSum evaluated_by(std::int64_t mark);

 private:
  struct Shared {
    StepResult slots[kSlots];
    LossSum evaluated;
  };

  Device& device_;
  LossSum* pending_;
  Shared* shared_;
  std::int32_t first_ = 0;          // the oldest slot that was promised
  std::deque<std::int64_t> marks_;  // of the slots promised, oldest first
};

StepResult take_result(Engine& engine);

}  // namespace traind::cuda
