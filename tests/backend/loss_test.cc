// Projection and cross entropy of every device against the double-precision reference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/base/error.h"
#include "tests/backend/device_case.h"
#include "tests/backend/reference.h"

namespace traind {
namespace {

using reference::Batch;
using reference::LossCase;
using reference::Row;

constexpr float kScale = 0.25f;

struct NamedCase {
  const char* name;
  LossCase shape;
  bool ragged;
};
const NamedCase kCases[] = {{"smallest", {1, 1, 1, 1}, false},
                            {"full", {3, 2, 4, 5}, false},
                            {"ragged", {5, 4, 3, 6}, true},
                            {"odd", {3, 5, 33, 17}, true},
                            {"wide", {2, 7, 20, 131}, true}};

class LossOn : public OnDevice {
 protected:
  LossCall call_over(const LossCase& shape, Tensor row, const Batch& targets) {
    LossCall call;
    call.hidden = row.part(shape.hidden_offset(), shape.hidden_size());
    call.targets = targets.view(shape.steps);
    call.width = shape.width;
    call.words = shape.words;
    call.weights = weights_over(shape, row);
    return call;
  }
  OutputWeights weights_over(const LossCase& shape, Tensor row) {
    return {row.part(0, shape.bias_offset()),
            row.part(shape.bias_offset(), static_cast<std::size_t>(shape.words))};
  }
  Row gradients_of(const LossCase& shape, Tensor row, const Batch& targets, Tensor loss_scale = {},
                   float smoothing = 0) {
    const Tensor gradient_row = zeros(shape.size());
    backend_->write(gradient_row.part(shape.hidden_offset(), shape.hidden_size()),
                    std::vector<float>(shape.hidden_size(), 9));
    LossCall call = call_over(shape, row, targets);
    OutputWeights gradients = weights_over(shape, gradient_row);
    call.d_hidden = gradient_row.part(shape.hidden_offset(), shape.hidden_size());
    call.gradients = &gradients;
    call.gradient_scale = kScale;
    call.loss_scale = loss_scale;
    call.smoothing = smoothing;
    const LossSum at_once = backend_->loss(call);
    EXPECT_EQ(at_once.tokens, 0) << "the sum belongs to take_result()";
    return get(gradient_row);
  }
  StepResult result_of_an_update() {
    UpdateStep step;
    step.parameters = zeros(4);
    step.gradients = zeros(4);
    step.first_moment = zeros(4);
    step.second_moment = zeros(4);
    backend_->update(step);
    return backend_->take_result();
  }
};

TEST_P(LossOn, SumAndGradientsEqualTheDefinition) {
  for (const NamedCase& one : kCases) {
    SCOPED_TRACE(one.name);
    const LossCase& shape = one.shape;
    const Row parameters = reference::random_row(shape.size(), 1, 1);
    const Batch targets = reference::batch_of(shape.steps, shape.batch, shape.words, one.ragged, 3);
    const Tensor row = put(parameters);
    const LossSum expected_sum = reference::loss(shape, parameters, targets);
    const LossSum sum = backend_->loss(call_over(shape, row, targets));
    EXPECT_NEAR(sum.loss, expected_sum.loss, tolerance() * (1 + expected_sum.loss));
    EXPECT_EQ(sum.tokens, expected_sum.tokens);
    EXPECT_EQ(sum.correct, expected_sum.correct);

    const Row actual = gradients_of(shape, row, targets);
    const std::size_t stride = parameters.size() < 1000 ? 1 : parameters.size() / 300 | 1;
    Row expected = reference::numeric_gradient(
        [&](const Row& at) { return kScale * reference::loss(shape, at, targets).loss; },
        parameters, stride);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (std::isnan(expected[i])) expected[i] = actual[i];
    }
    expect_close(actual, expected, tolerance(), "gradients");
    const StepResult result = result_of_an_update();
    EXPECT_EQ(result.loss.loss, sum.loss);
    EXPECT_EQ(result.loss.tokens, sum.tokens);
    EXPECT_EQ(result.loss.correct, sum.correct);
  }
}

// (1 - e) loss + e mean over the words of -log p, summed over the true steps.
double smoothed_loss(const LossCase& shape, const Row& parameters, const Batch& targets, double e) {
  double sum = (1 - e) * reference::loss(shape, parameters, targets).loss;
  for (std::int32_t word = 0; word < shape.words; ++word) {
    Batch all = targets;
    std::ranges::fill(all.ids, word);
    sum += e / shape.words * reference::loss(shape, parameters, all).loss;
  }
  return sum;
}

TEST_P(LossOn, GradientsAreOfTheSmoothedLossAndTheSumIsNot) {
  for (const float smoothing : {0.1f, 0.7f}) {
    const LossCase shape{4, 3, 5, 7};
    const Row parameters = reference::random_row(shape.size(), 1, 1);
    const Batch targets = reference::batch_of(shape.steps, shape.batch, shape.words, true, 3);
    const Tensor row = put(parameters);
    const LossSum plain = backend_->loss(call_over(shape, row, targets));
    const Row actual = gradients_of(shape, row, targets, {}, smoothing);
    const Row expected = reference::numeric_gradient(
        [&](const Row& at) { return kScale * smoothed_loss(shape, at, targets, smoothing); },
        parameters);
    expect_close(actual, expected, tolerance(), "gradients");
    EXPECT_EQ(result_of_an_update().loss.loss, plain.loss);
  }
  const LossCase shape{1, 1, 1, 2};
  const Batch word{{0}, {1}};
  LossCall call = call_over(shape, put(reference::random_row(shape.size(), 1, 1)), word);
  call.smoothing = 1;
  EXPECT_THROW(backend_->loss(call), Error);
}

TEST_P(LossOn, TwoCallsBeforeAnUpdateAddUp) {
  const LossCase shape{3, 2, 4, 5};
  const Batch targets = reference::batch_of(shape.steps, shape.batch, shape.words, true, 3);
  const Tensor row = put(reference::random_row(shape.size(), 1, 1));
  const LossSum one = backend_->loss(call_over(shape, row, targets));
  gradients_of(shape, row, targets);
  gradients_of(shape, row, targets);
  const StepResult both = result_of_an_update();
  EXPECT_EQ(both.loss.loss, 2 * one.loss);
  EXPECT_EQ(both.loss.tokens, 2 * one.tokens);
  EXPECT_EQ(result_of_an_update().loss.tokens, 0);
}

TEST_P(LossOn, WhatLiesInThePaddingChangesNothing) {
  const LossCase shape{5, 4, 3, 6};
  const Row clean = reference::random_row(shape.size(), 1, 1);
  const Batch targets = reference::batch_of(shape.steps, shape.batch, shape.words, true, 3);
  Batch dirty_targets = targets;
  Row dirty = clean;
  for (int t = 0; t < shape.steps; ++t) {
    for (int b = 0; b < shape.batch; ++b) {
      if (t < targets.lengths[static_cast<std::size_t>(b)]) continue;
      const std::size_t place = static_cast<std::size_t>(t) * shape.batch + b;
      dirty_targets.ids[place] = (dirty_targets.ids[place] + 1) % shape.words;
      for (int j = 0; j < shape.width; ++j) {
        dirty[shape.hidden_offset() + place * shape.width + j] =
            std::numeric_limits<double>::quiet_NaN();
      }
    }
  }
  EXPECT_EQ(gradients_of(shape, put(clean), targets),
            gradients_of(shape, put(dirty), dirty_targets));
}

TEST_P(LossOn, LargeLogitsStayFinite) {
  const LossCase shape{1, 2, 1, 3};
  Row parameters = {200, -200, 0, 0, 0, 0, 1, -1};
  Batch targets{{0, 0}, {1, 1}};
  const LossSum sum = backend_->loss(call_over(shape, put(parameters), targets));
  EXPECT_NEAR(sum.loss, 400, 1e-3);
  EXPECT_EQ(sum.correct, 1);
}

// A diverged model must be seen as one.
TEST_P(LossOn, NanInTheWeightsReachesTheSum) {
  const LossCase shape{2, 3, 4, 5};
  Row parameters = reference::random_row(shape.size(), 1, 1);
  parameters[2] = std::numeric_limits<double>::quiet_NaN();
  const Batch targets = reference::batch_of(shape.steps, shape.batch, shape.words, false, 3);
  EXPECT_TRUE(std::isnan(backend_->loss(call_over(shape, put(parameters), targets)).loss));
}

// A power of two moves the exponent of every gradient and nothing else.
TEST_P(LossOn, TheLossScaleIsOnTheGradientsAndNotOnTheSum) {
  const LossCase shape{5, 4, 3, 6};
  const Batch targets = reference::batch_of(shape.steps, shape.batch, shape.words, true, 3);
  const Tensor row = put(reference::random_row(shape.size(), 1, 1));
  const Tensor scale = put({1024, 7});
  Row expected = gradients_of(shape, row, targets);
  const double sum = result_of_an_update().loss.loss;
  for (double& one : expected) one *= 1024;
  EXPECT_EQ(gradients_of(shape, row, targets, scale), expected);
  EXPECT_EQ(result_of_an_update().loss.loss, sum);
  EXPECT_EQ(get(scale), (Row{1024, 7})) << "update() moves it, not loss()";
}

TEST_P(LossOn, RefusesATargetThatIsNoWordOnTrueStepsOnly) {
  const LossCase shape{2, 2, 3, 4};
  const Tensor row = put(reference::random_row(shape.size(), 1, 1));
  const Batch in_padding{{0, 1, 2, 99}, {2, 1}};
  EXPECT_NO_THROW(backend_->loss(call_over(shape, row, in_padding)));
  const Batch in_sentence{{0, 1, 4, 0}, {2, 1}};
  EXPECT_THROW(backend_->loss(call_over(shape, row, in_sentence)), Error);
}

INSTANTIATE_TEST_SUITE_P(Devices, LossOn, testing::ValuesIn(rounding_device_cases()), name_of_case);

}  // namespace
}  // namespace traind
