// The recurrent stack in 16 bits: close to float32, and exact where it has to be.
#include <gtest/gtest.h>

#include <algorithm>

#include "model/backend/cuda/cuda_backend.h"
#include "tests/backend/device_case.h"
#include "tests/backend/device_rnn.h"

namespace traind {
namespace {

using reference::RnnCase;
using reference::Row;

class RnnPrecision : public OnDevice {
 protected:
  struct Outcome {
    Row output, last_h, last_c, gradients;
  };
  Outcome run(const RnnCase& shape, const reference::Batch& batch) {
    const Row parameters = reference::random_row(shape.size(), 1, 0.5);
    const Tensor row = put(parameters);
    const Tensor gradient_row = zeros(parameters.size());
    RnnForward forward;
    forward.input = batch.view(shape.steps);
    forward.initial = initial_over(shape, row);
    forward.output = zeros(shape.output_size());
    const bool has_c = shape.states() == 2;
    forward.last.h = zeros(shape.state_size());
    if (has_c) forward.last.c = zeros(shape.state_size());
    const RnnStack stack = stack_over(shape, row);
    const auto tape = backend_->rnn_forward(stack, forward);
    RnnStack gradients = stack_over(shape, gradient_row);
    RnnState d_last;
    d_last.h = put(reference::random_row(shape.state_size(), 3, 1));
    if (has_c) d_last.c = put(reference::random_row(shape.state_size(), 4, 1));
    backend_->rnn_backward(stack,
                           {put(reference::random_row(shape.output_size(), 2, 1)), d_last,
                            initial_over(shape, gradient_row), &gradients},
                           *tape);
    return {get(forward.output), get(forward.last.h), has_c ? get(forward.last.c) : Row(),
            get(gradient_row)};
  }
};

TEST_P(RnnPrecision, IsCloseToFloat32) {
  for (const CellKind cell : {CellKind::kLstm, CellKind::kGru}) {
    for (const bool ragged : {false, true}) {
      const RnnCase shape{2, 2, 6, 7, 9, 6, 5, ragged, true, 0, cell};
      const auto batch = reference::batch_of(shape.steps, shape.batch, shape.words, ragged, 2);
      TearDown();
      backend_ = GetParam().make();
      const Outcome actual = run(shape, batch);
      TearDown();  // buffers must not outlive their backend
      backend_ = cuda::make_cuda_backend({});
      const Outcome exact = run(shape, batch);
      expect_close(actual.output, exact.output, tolerance(), "output");
      expect_close(actual.last_h, exact.last_h, tolerance(), "last h");
      expect_close(actual.last_c, exact.last_c, tolerance(), "last c");
      expect_close(actual.gradients, exact.gradients, tolerance(), "gradients");
      EXPECT_NE(actual.output, exact.output) << "16 bits were not used";
    }
  }
}

// A sentence in a long batch ends where it ends in a batch of its own length, and learns the same:
// an LSTM's gates that hold the state in the padding are shut completely, not nearly, and what
// comes back through the padding is nothing, not little.
TEST_P(RnnPrecision, PaddingMovesNothingAtAll) {
  for (const CellKind cell : {CellKind::kLstm, CellKind::kGru}) {
    const RnnCase shape{1, 1, 6, 7, 9, 4, 1, false, true, 0, cell};
    const reference::Batch alone{{3, 1, 7, 2}, {4}};
    const Outcome expected = run(shape, alone);
    RnnCase longer = shape;
    longer.steps = 40;
    reference::Batch padded{std::vector<std::int32_t>(40, 5), {4}};
    std::copy(alone.ids.begin(), alone.ids.end(), padded.ids.begin());
    const Outcome actual = run(longer, padded);
    EXPECT_EQ(actual.last_h, expected.last_h);
    EXPECT_EQ(actual.last_c, expected.last_c);
    EXPECT_EQ(actual.gradients, expected.gradients);
  }
}

std::vector<DeviceCase> precisions() {
  const auto one = [](const char* name, Precision precision, double tolerance) {
    DeviceCase device;
    device.name = name;
    device.tolerance = tolerance;
    device.make = [precision] { return cuda::make_cuda_backend({0, precision, false}); };
    return device;
  };
  return {one("Bf16", Precision::kBf16, 0.03), one("Fp16", Precision::kFp16, 0.004)};
}
INSTANTIATE_TEST_SUITE_P(OnHost, RnnPrecision, testing::ValuesIn(precisions()), name_of_case);

}  // namespace
}  // namespace traind
