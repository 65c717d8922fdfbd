// The loss scale that a model keeps for a device that needs one. No GPU is at hand: the device here
// is the CPU, which honours a scale and says that it needs one only because the test says so.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <vector>

#include "tests/nn/forwarding_backend.h"
#include "tests/nn/model_case.h"
#include "tests/nn/toy_batch.h"

namespace traind {
namespace {

using testing::ElementsAre;

class ScaledBackend : public ForwardingBackend {
 public:
  ScaledBackend() : ForwardingBackend(cpu_backend()) {}
  DeviceInfo info() const override {
    DeviceInfo info = ForwardingBackend::info();
    info.loss_scale = true;
    return info;
  }
};

constexpr ModelCase kKind{2, true, true, 0.4f};

std::array<float, 2> scale_of(const SequenceModel& model) {
  std::array<float, 2> scale{};
  model.save_loss_scale(scale);
  return scale;
}

std::vector<StepResult> train(SequenceModel& model, int from, int to) {
  std::vector<StepResult> results;
  for (int step = from; step <= to; ++step) {
    const auto seed = static_cast<std::uint64_t>(step);
    model.forward_backward(toy_batch(kKind.shape(), {5, 3 + step % 3, 4}, seed).pair(), {1, seed});
    model.update({0.9f, 0.99f, 1e-8f, 1.0f}, step, 0.01f);
    results.push_back(model.take_result());
  }
  return results;
}

// A power of two changes the exponent of a float and nothing else.
TEST(ModelLossScale, ChangesNoBitOfWhatIsLearnt) {
  const std::unique_ptr<Backend> plain = cpu_backend();
  ScaledBackend scaled;
  SequenceModel one(*plain, kKind.shape());
  SequenceModel two(scaled, kKind.shape());
  const std::vector<float> row = lively_row(one.parameters(), 5);
  fill(one, row);
  fill(two, row);
  const auto without = train(one, 1, 5);
  const auto with = train(two, 1, 5);
  EXPECT_EQ(weights_of(two), weights_of(one));
  EXPECT_EQ(with.back().loss.loss, without.back().loss.loss);
  EXPECT_DOUBLE_EQ(with.back().gradient_norm, without.back().gradient_norm);
  EXPECT_EQ(without.back().loss_scale, 0);
  EXPECT_EQ(with.back().loss_scale, LossScale::kFirst);
}

TEST(ModelLossScale, BeginsAnewWithEveryRestoreAndCountsGoodUpdates) {
  ScaledBackend scaled;
  SequenceModel model(scaled, kKind.shape());
  model.initialise(1);
  EXPECT_THAT(scale_of(model), ElementsAre(LossScale::kFirst, 0));
  train(model, 1, 3);
  EXPECT_THAT(scale_of(model), ElementsAre(LossScale::kFirst, 3));
  model.restore_loss_scale(std::array{1024.0f, 7.0f});
  EXPECT_THAT(scale_of(model), ElementsAre(1024, 7));
  fill(model, weights_of(model));
  EXPECT_THAT(scale_of(model), ElementsAre(LossScale::kFirst, 0));
}

TEST(ModelLossScale, HalvesWhenAStepOverflowsAndLeavesTheWeightsAlone) {
  ScaledBackend scaled;
  SequenceModel model(scaled, kKind.shape());
  std::vector<float> large = lively_row(model.parameters(), 5);
  for (float& weight : large) weight *= 1000;
  fill(model, large);
  // Times such weights, it fits into no float.
  model.restore_loss_scale(std::array{std::numeric_limits<float>::max(), 5.0f});
  const std::vector<float> before = weights_of(model);
  const StepResult result = train(model, 1, 1).back();
  EXPECT_TRUE(result.skipped);
  EXPECT_EQ(result.loss_scale, std::numeric_limits<float>::max() / 2);
  EXPECT_EQ(weights_of(model), before);
  EXPECT_THAT(scale_of(model), ElementsAre(result.loss_scale, 0));
}

}  // namespace
}  // namespace traind
