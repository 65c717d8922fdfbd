// What the device reports of its steps, and that no step makes new work of its numbers.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/backend/cuda/cuda_backend.h"
#include "model/backend/cuda/results.h"
#include "model/base/error.h"
#include "tests/backend/cuda/host_device.h"
#include "tests/backend/device_case.h"
#include "tests/backend/reference.h"

namespace traind {
namespace {

using reference::Row;

// One loss() and one adam() on small tensors, as often as asked for.
class CudaResults : public OnDevice {
 protected:
  void SetUp() override {
    OnDevice::SetUp();
    step_.parameters = put(reference::random_row(shape_.size(), 1, 1));
    step_.gradients = zeros(shape_.size());
    step_.first_moment = zeros(shape_.size());
    step_.second_moment = zeros(shape_.size());
    step_.loss_scale = put({1024, 0});
  }
  LossCall loss_call(const reference::Batch& targets) {
    LossCall call;
    call.hidden = step_.parameters.part(shape_.hidden_offset(), shape_.hidden_size());
    call.targets = targets.view(shape_.steps);
    call.width = shape_.width;
    call.words = shape_.words;
    call.weights = weights_of(step_.parameters);
    call.loss_scale = step_.loss_scale;
    return call;
  }
  void train(const reference::Batch& targets, float gradient_scale) {
    OutputWeights gradients = weights_of(step_.gradients);
    LossCall call = loss_call(targets);
    call.d_hidden = step_.gradients.part(shape_.hidden_offset(), shape_.hidden_size());
    call.gradients = &gradients;
    call.gradient_scale = gradient_scale;
    backend_->loss(call);
    backend_->update(step_);
  }
  OutputWeights weights_of(Tensor row) const {
    return {row.part(0, shape_.bias_offset()),
            row.part(shape_.bias_offset(), static_cast<std::size_t>(shape_.words))};
  }
  reference::Batch targets(std::uint64_t seed) const {
    return reference::batch_of(shape_.steps, shape_.batch, shape_.words, true, seed);
  }

  const reference::LossCase shape_{4, 3, 5, 6};
  UpdateStep step_;
};

TEST_P(CudaResults, NumbersOfAStepAreNotNewWork) {
  for (step_.step = 1; step_.step <= 8; ++step_.step) {
    const auto n = static_cast<float>(step_.step);
    step_.rate = 0.01f / n;
    const cuda::HostCounts before = cuda::host_counts();
    train(targets(static_cast<std::uint64_t>(step_.step)), 1.0f / n);
    const cuda::HostCounts after = cuda::host_counts();
    backend_->take_result();
    if (step_.step > 3) {
      EXPECT_EQ(after.graphs_made, before.graphs_made) << step_.step;
      EXPECT_EQ(after.graphs_replayed, before.graphs_replayed + 1) << step_.step;
    }
  }
}

TEST_P(CudaResults, AFullRingIsRefusedUntilAResultIsTaken) {
  for (int i = 0; i < cuda::Results::kSlots; ++i) backend_->update(step_);
  EXPECT_THROW(backend_->update(step_), Error);
  backend_->take_result();
  EXPECT_NO_THROW(backend_->update(step_));
}

TEST_P(CudaResults, AnEvaluationBetweenLossAndUpdateIsNotPartOfTheResult) {
  const reference::Batch batch = targets(3);
  const LossSum one = backend_->loss(loss_call(batch));
  OutputWeights gradients = weights_of(step_.gradients);
  LossCall call = loss_call(batch);
  call.d_hidden = step_.gradients.part(shape_.hidden_offset(), shape_.hidden_size());
  call.gradients = &gradients;
  backend_->loss(call);
  EXPECT_EQ(backend_->loss(loss_call(batch)).loss, one.loss);
  backend_->update(step_);
  const StepResult result = backend_->take_result();
  EXPECT_EQ(result.loss.loss, one.loss);
  EXPECT_EQ(result.loss.tokens, one.tokens);
}

// The device halves its scale on its own; the next step, already recorded with it, sees it.
TEST_P(CudaResults, TheScaleMovesWithoutTheHost) {
  backend_->write(step_.loss_scale, std::vector<float>{std::numeric_limits<float>::max(), 9});
  train(targets(1), 1e10f);
  train(targets(2), 1e10f);
  train(targets(3), 1e-3f);
  const StepResult first = backend_->take_result();
  const StepResult second = backend_->take_result();
  const StepResult third = backend_->take_result();
  EXPECT_TRUE(first.skipped);
  EXPECT_TRUE(second.skipped);
  EXPECT_FALSE(third.skipped);
  EXPECT_EQ(second.loss_scale, first.loss_scale / 2);
  EXPECT_EQ(third.loss_scale, second.loss_scale);
  EXPECT_TRUE(std::isfinite(third.gradient_norm));
}

INSTANTIATE_TEST_SUITE_P(OnHost, CudaResults,
                         testing::Values(DeviceCase{"Fp32", 2e-5, "",
                                                    [] { return cuda::make_cuda_backend({}); }}),
                         name_of_case);

}  // namespace
}  // namespace traind
