// Loss, attention and decoding in 16 bits: close to float32.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/backend/cuda/cuda_backend.h"
#include "tests/backend/device_case.h"
#include "tests/backend/device_rnn.h"

namespace traind {
namespace {

using reference::Row;

class Precision16 : public OnDevice {
 protected:
  // What `run` gives in 16 bits, then in float32.
  template <class Run>
  auto in_both(const Run& run) {
    auto actual = run();
    TearDown();  // buffers must not outlive their backend
    backend_ = cuda::make_cuda_backend({});
    return std::pair(std::move(actual), run());
  }

  struct LossOutcome {
    double loss = 0;
    Row gradients;
  };
  LossOutcome loss_of(float gradient_scale, float loss_scale) {
    const reference::LossCase shape{6, 5, 24, 35};
    const auto targets = reference::batch_of(shape.steps, shape.batch, shape.words, true, 3);
    const Tensor row = put(reference::random_row(shape.size(), 1, 0.5));
    const Tensor gradient_row = zeros(shape.size());
    const auto weights_over = [&shape](Tensor all) {
      return OutputWeights{all.part(0, shape.bias_offset()),
                           all.part(shape.bias_offset(), shape.words)};
    };
    OutputWeights gradients = weights_over(gradient_row);
    LossCall call;
    call.hidden = row.part(shape.hidden_offset(), shape.hidden_size());
    call.targets = targets.view(shape.steps);
    call.width = shape.width;
    call.words = shape.words;
    call.weights = weights_over(row);
    const double sum = backend_->loss(call).loss;
    call.d_hidden = gradient_row.part(shape.hidden_offset(), shape.hidden_size());
    call.gradients = &gradients;
    call.gradient_scale = gradient_scale;
    call.loss_scale = put({loss_scale, 0});
    backend_->loss(call);
    LossOutcome outcome{sum, get(gradient_row)};
    for (double& one : outcome.gradients) one /= gradient_scale * loss_scale;
    return outcome;
  }

  struct AttentionOutcome {
    Row output, gradients;
  };
  AttentionOutcome attend() {
    const reference::AttentionCase shape{5, 11, 3, 16};
    const std::size_t m2 = static_cast<std::size_t>(shape.width) * shape.width;
    const auto sources = reference::batch_of(shape.memory_steps, shape.batch, 2, true, 3);
    const auto targets = reference::batch_of(shape.steps, shape.batch, 2, true, 4);
    const Tensor row = put(reference::random_row(shape.size(), 1, 0.4));
    const Tensor gradient_row = zeros(shape.size());
    const auto query_of = [&shape](Tensor all) {
      return all.part(shape.query_offset(), shape.query_size());
    };
    const auto memory_of = [&shape](Tensor all) {
      return all.part(shape.memory_offset(), shape.memory_size());
    };
    const AttentionWeights weights{row.part(0, m2), row.part(m2, 2 * m2)};
    AttentionWeights gradients{gradient_row.part(0, m2), gradient_row.part(m2, 2 * m2)};
    AttentionForward call{
        query_of(row), memory_of(row),     sources.lengths, targets.lengths,
        shape.steps,   shape.memory_steps, shape.width,     zeros(shape.query_size()),
        true};
    const auto tape = backend_->attention_forward(weights, call);
    const Tensor d_output = put(reference::random_row(shape.query_size(), 5, 1));
    backend_->attention_backward(
        weights, {d_output, query_of(gradient_row), memory_of(gradient_row), &gradients}, *tape);
    return {get(call.output), get(gradient_row)};
  }

  std::vector<Decoded> decode() {
    const reference::RnnCase shape{2, 1, 8, 16, 20, 1, 6, false, true, 0};
    const reference::AttentionCase attention{1, 7, 6, 16};
    const Tensor lstm = put(reference::random_row(shape.size(), 1, 0.6));
    const Tensor attend = put(reference::random_row(attention.size(), 2, 0.6));
    const Tensor output = put(reference::random_row(17 * 20, 3, 2));
    const std::vector<std::int32_t> lengths = {7, 2, 5, 1, 3, 7};
    const RnnStack stack = stack_over(shape, lstm);
    const AttentionWeights weights{attend.part(0, 256), attend.part(256, 512)};
    DecodeCall call;
    call.decoder = &stack;
    call.initial = initial_over(shape, lstm);
    call.attention = &weights;
    call.memory = attend.part(attention.memory_offset(), attention.memory_size());
    call.memory_lengths = lengths;
    call.memory_steps = attention.memory_steps;
    call.output = {output.part(0, 16 * 20), output.part(16 * 20, 20)};
    const std::vector<std::int32_t> begin(6, 1);
    call.begin = begin;
    call.end = 2;
    call.max_steps = 3;
    return backend_->decode(call);
  }
};

TEST_P(Precision16, LossIsCloseToFloat32) {
  const auto [actual, exact] = in_both([this] { return loss_of(0.25f, 1); });
  EXPECT_NEAR(actual.loss, exact.loss, tolerance() * exact.loss);
  EXPECT_NE(actual.loss, exact.loss) << "16 bits were not used";
  expect_close(actual.gradients, exact.gradients, tolerance(), "gradients");
}

TEST_P(Precision16, AttentionIsCloseToFloat32) {
  const auto [actual, exact] = in_both([this] { return attend(); });
  expect_close(actual.output, exact.output, tolerance(), "output");
  EXPECT_NE(actual.output, exact.output) << "16 bits were not used";
  expect_close(actual.gradients, exact.gradients, tolerance(), "gradients");
}

TEST_P(Precision16, DecodingIsCloseToFloat32) {
  const auto [actual, exact] = in_both([this] { return decode(); });
  for (std::size_t b = 0; b < exact.size(); ++b) {
    EXPECT_EQ(actual[b].ids, exact[b].ids) << b;
    EXPECT_NEAR(actual[b].log_probability, exact[b].log_probability, 10 * tolerance()) << b;
    EXPECT_NE(actual[b].log_probability, exact[b].log_probability) << "16 bits were not used";
  }
}

// Gradients below what a half can hold; a loss scale lifts them over it.
TEST_P(Precision16, SmallGradientsLiveOnAScale) {
  const auto [actual, exact] = in_both([this] { return loss_of(1e-7f, LossScale::kFirst); });
  expect_close(actual.gradients, exact.gradients, tolerance(), "gradients");
}

std::vector<DeviceCase> precisions() {
  const auto one = [](const char* name, Precision precision, double tolerance) {
    DeviceCase device;
    device.name = name;
    device.tolerance = tolerance;
    device.make = [precision] { return cuda::make_cuda_backend({0, precision, false}); };
    return device;
  };
  return {one("Bf16", Precision::kBf16, 0.02), one("Fp16", Precision::kFp16, 0.003)};
}
INSTANTIATE_TEST_SUITE_P(OnHost, Precision16, testing::ValuesIn(precisions()), name_of_case);

}  // namespace
}  // namespace traind
