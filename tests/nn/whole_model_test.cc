// The whole model against a plain double-precision one: loss, gradients, answers.
//
// With a language model the batch's source is a prompt, which only decoding looks at.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <tuple>
#include <vector>

#include "model/backend/cuda/cuda_backend.h"
#include "tests/nn/model_case.h"
#include "tests/nn/reference_model.h"
#include "tests/nn/toy_batch.h"

namespace traind {
namespace {

constexpr std::uint64_t kSeed = 11;
constexpr std::uint64_t kStep = 3;
constexpr float kSmoothing = 0.125f;

struct Device {
  const char* name;
  std::function<std::unique_ptr<Backend>()> make;
};
void PrintTo(const Device& device, std::ostream* out) { *out << device.name; }

class WholeModel : public testing::TestWithParam<std::tuple<ModelCase, Device>> {
 protected:
  WholeModel()
      : backend_(std::get<Device>(GetParam()).make()),
        model_(*backend_, kind().shape()),
        row_(lively_row(model_.parameters(), 5)),
        batch_(toy_batch(kind().shape(), {}, 9)),
        reference_(kind().shape(), model_.parameters(), row_) {
    fill(model_, row_);
  }

  static const ModelCase& kind() { return std::get<ModelCase>(GetParam()); }

  // Dropout of the training step that the tests take.
  std::optional<DropoutKey> masks() const {
    if (kind().dropout == 0) return {};
    return DropoutKey{kSeed, kStep, 0};
  }

  // Derivative of the mean smoothed loss by the i-th float of the row.
  double difference(std::size_t i) {
    constexpr double kNudge = 1e-5;
    double& value = reference_.row()[i];
    const double middle = value;
    value = middle + kNudge;
    const double above = reference_.smoothed_loss(batch_.pair(), masks(), kSmoothing);
    value = middle - kNudge;
    const double below = reference_.smoothed_loss(batch_.pair(), masks(), kSmoothing);
    value = middle;
    return (above - below) / (2 * kNudge) / static_cast<double>(batch_.target_tokens());
  }

  std::unique_ptr<Backend> backend_;
  SequenceModel model_;
  std::vector<float> row_;
  ToyBatch batch_;
  ReferenceModel reference_;
};

TEST_P(WholeModel, LossEqualsTheReference) {
  const LossSum expected = reference_.loss(batch_.pair());
  const LossSum sum = model_.evaluate(batch_.pair());
  EXPECT_NEAR(sum.loss, expected.loss, 2e-6 * expected.loss);
  EXPECT_EQ(sum.tokens, expected.tokens);
  EXPECT_EQ(sum.correct, expected.correct);
}

TEST_P(WholeModel, TrainingLossEqualsTheReferenceUnderTheSameMasks) {
  const LossSum expected = reference_.loss(batch_.pair(), masks());
  model_.forward_backward(batch_.pair(), {kSeed, kStep, 0, kSmoothing});
  model_.update({}, 1, 0);
  const LossSum sum = model_.take_result().loss;
  EXPECT_NEAR(sum.loss, expected.loss, 2e-6 * expected.loss);
  EXPECT_EQ(sum.tokens, expected.tokens);
  EXPECT_EQ(sum.correct, expected.correct);
}

TEST_P(WholeModel, GradientsEqualCentralDifferences) {
  model_.forward_backward(batch_.pair(), {kSeed, kStep, 0, kSmoothing});
  const std::vector<float> gradients = gradients_of(model_);
  for (const ParameterEntry& entry : model_.parameters()) {
    double largest = 0;
    double furthest = 0;
    for (std::size_t i = entry.offset; i < entry.offset + entry.size; ++i) {
      const double expected = difference(i);
      largest = std::max(largest, std::abs(expected));
      furthest = std::max(furthest, std::abs(expected - gradients[i]));
    }
    EXPECT_GT(largest, 0) << entry.name << " is not used";
    EXPECT_LT(furthest, 2e-5 * largest) << entry.name;
  }
}

TEST_P(WholeModel, GradientsOfThePaddingBetweenEntriesStayZero) {
  model_.forward_backward(batch_.pair(), {kSeed, kStep});
  const std::vector<float> gradients = gradients_of(model_);
  std::size_t end = 0;
  for (const ParameterEntry& entry : model_.parameters()) {
    for (std::size_t i = end; i < entry.offset; ++i) EXPECT_EQ(gradients[i], 0) << entry.name;
    end = entry.offset + entry.size;
  }
}

TEST_P(WholeModel, DecodesWhatTheReferenceDecodes) {
  constexpr std::int32_t kBegin = 2;
  constexpr std::int32_t kEnd = 3;
  constexpr int kMaxSteps = 9;
  const Sequences source = batch_.pair().source;
  const ReferenceAnswers expected = reference_.decode(source, kBegin, kEnd, kMaxSteps);
  ASSERT_GT(expected.closest_call, 1e-5) << "choose another seed: a float may see a tie here";
  const std::vector<Decoded> answers = model_.decode({source, kBegin, kEnd, kMaxSteps});
  ASSERT_EQ(answers.size(), expected.rows.size());
  for (std::size_t b = 0; b < answers.size(); ++b) {
    EXPECT_EQ(answers[b].ids, expected.rows[b].ids) << "sentence " << b;
    EXPECT_NEAR(answers[b].log_probability, expected.rows[b].log_probability, 2e-5)
        << "sentence " << b;
  }
}

// The second is the CUDA backend without a GPU: tests/backend/cuda/host_device.cc.
const Device kDevices[] = {{"Cpu", [] { return cpu_backend(); }},
                           {"CudaOnHost", [] { return cuda::make_cuda_backend({}); }}};

INSTANTIATE_TEST_SUITE_P(EveryKind, WholeModel,
                         testing::Combine(testing::ValuesIn(all_model_cases()),
                                          testing::ValuesIn(kDevices)),
                         [](const auto& of) {
                           return name_of(std::get<ModelCase>(of.param)) + "On" +
                                  std::get<Device>(of.param).name;
                         });

}  // namespace
}  // namespace traind
