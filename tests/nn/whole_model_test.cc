// The whole model against a plain double-precision one: loss, gradients, answers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/nn/model_case.h"
#include "tests/nn/reference_model.h"
#include "tests/nn/toy_batch.h"

namespace traind {
namespace {

constexpr std::uint64_t kSeed = 11;
constexpr std::uint64_t kStep = 3;

class WholeModel : public testing::TestWithParam<ModelCase> {
 protected:
  WholeModel()
      : backend_(cpu_backend()),
        model_(*backend_, GetParam().shape()),
        row_(lively_row(model_.parameters(), 5)),
        batch_(toy_batch(GetParam().shape(), {}, 9)),
        reference_(GetParam().shape(), model_.parameters(), row_) {
    fill(model_, row_);
  }

  // Dropout of the training step that the tests take.
  std::optional<DropoutKey> masks() const {
    if (GetParam().dropout == 0) return {};
    return DropoutKey{kSeed, kStep, 0};
  }

  // Derivative of the mean loss by the i-th float of the row.
  double difference(std::size_t i) {
    constexpr double kNudge = 1e-5;
    double& value = reference_.row()[i];
    const double middle = value;
    value = middle + kNudge;
    const LossSum above = reference_.loss(batch_.pair(), masks());
    value = middle - kNudge;
    const LossSum below = reference_.loss(batch_.pair(), masks());
    value = middle;
    return (above.loss - below.loss) / (2 * kNudge) / static_cast<double>(above.tokens);
  }

  std::unique_ptr<Backend> backend_;
  Seq2seq model_;
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
  model_.forward_backward(batch_.pair(), kSeed, kStep);
  model_.update({}, 1, 0);
  const LossSum sum = model_.take_result().loss;
  EXPECT_NEAR(sum.loss, expected.loss, 2e-6 * expected.loss);
  EXPECT_EQ(sum.tokens, expected.tokens);
  EXPECT_EQ(sum.correct, expected.correct);
}

TEST_P(WholeModel, GradientsEqualCentralDifferences) {
  model_.forward_backward(batch_.pair(), kSeed, kStep);
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
  model_.forward_backward(batch_.pair(), kSeed, kStep);
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
  const std::vector<Decoded> answers = model_.decode(source, kBegin, kEnd, kMaxSteps);
  ASSERT_EQ(answers.size(), expected.rows.size());
  for (std::size_t b = 0; b < answers.size(); ++b) {
    EXPECT_EQ(answers[b].ids, expected.rows[b].ids) << "sentence " << b;
    EXPECT_NEAR(answers[b].log_probability, expected.rows[b].log_probability, 2e-5)
        << "sentence " << b;
  }
}

INSTANTIATE_TEST_SUITE_P(EveryKind, WholeModel, testing::ValuesIn(all_model_cases()),
                         [](const auto& of) { return name_of(of.param); });

}  // namespace
}  // namespace traind
