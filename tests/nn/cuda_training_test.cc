// The whole model on the CUDA backend against the whole model on the CPU: gradients of every kind
// of model, 200 steps of training on the same batches, and equal bits after a resume.
//
// Once with the device in host memory (tests/backend/cuda/host_device.cc), small, and once on the
// machine's GPU, larger, where there is one.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "model/backend/cuda/cuda_backend.h"
#include "tests/backend/cuda/real_device.h"
#include "tests/nn/model_case.h"
#include "tests/nn/toy_batch.h"

namespace traind {
namespace {

struct Size {
  int hidden = 0, batch = 0, steps = 0;
};

struct CudaCase {
  const char* name;
  Size size;
  Precision precision;
  std::function<RealDevice(Precision, bool deterministic)> open;
};
void PrintTo(const CudaCase& device, std::ostream* out) { *out << device.name; }

RealDevice on_host(Precision precision, bool deterministic) {
  return {cuda::make_cuda_backend({0, precision, deterministic}), ""};
}

constexpr Size kSmall{16, 6, 7};
constexpr Size kLarge{128, 32, 24};

std::vector<CudaCase> devices() {
  return {{"HostFp32", kSmall, Precision::kFp32, on_host},
          {"HostBf16", kSmall, Precision::kBf16, on_host},
          {"HostFp16", kSmall, Precision::kFp16, on_host},
          {"GpuFp32", kLarge, Precision::kFp32, real_device},
          {"GpuTf32", kLarge, Precision::kTf32, real_device},
          {"GpuBf16", kLarge, Precision::kBf16, real_device},
          {"GpuFp16", kLarge, Precision::kFp16, real_device}};
}

class CudaTraining : public testing::TestWithParam<CudaCase> {
 protected:
  void SetUp() override {
    device_ = GetParam().open(GetParam().precision, false);
    if (!device_.backend) GTEST_SKIP() << device_.not_here;
  }

  ModelShape shape(bool attention) const {
    const int hidden = GetParam().size.hidden;
    return {2, hidden, hidden, attention, attention, 0.3f, 30, 30};
  }
  // Four ragged batches in turn, so that there is something to learn.
  ToyBatch batch_of(const ModelShape& shape, int step) const {
    const Size& size = GetParam().size;
    return toy_batch(shape, {size.batch, size.steps, size.steps - step % 2},
                     static_cast<std::uint64_t>(step % 4));
  }
  bool is_float32() const { return GetParam().precision == Precision::kFp32; }

  // Mean loss of each step.
  std::vector<double> train(SequenceModel& model, int from, int to) const {
    std::vector<double> losses;
    for (int step = from; step <= to; ++step) {
      model.forward_backward(batch_of(model.shape(), step).pair(),
                             {1, static_cast<std::uint64_t>(step)});
      model.update({0.9f, 0.999f, 1e-8f, 5.0f}, step, 0.002f);
      const StepResult result = model.take_result();
      losses.push_back(result.loss.loss / static_cast<double>(result.loss.tokens));
    }
    return losses;
  }

  RealDevice device_;
};

double mean_of_last(const std::vector<double>& losses, int count) {
  return std::accumulate(losses.end() - count, losses.end(), 0.0) / count;
}

TEST_P(CudaTraining, TwoHundredStepsFollowTheCpu) {
  for (const bool attention : {false, true}) {
    const auto cpu = cpu_backend();
    SequenceModel expected_model(*cpu, shape(attention));
    SequenceModel model(*device_.backend, shape(attention));
    expected_model.initialise(1);
    model.initialise(1);
    const std::vector<double> expected = train(expected_model, 1, 200);
    const std::vector<double> actual = train(model, 1, 200);
    EXPECT_LT(mean_of_last(expected, 20), 0.9 * expected.front()) << "nothing was learnt";
    for (std::size_t i = 0; is_float32() && i < expected.size(); ++i) {
      ASSERT_NEAR(actual[i], expected[i], 1e-3 * expected[i]) << "step " << i + 1;
    }
    EXPECT_NEAR(mean_of_last(actual, 20), mean_of_last(expected, 20),
                (is_float32() ? 1e-3 : 5e-2) * mean_of_last(expected, 20));
  }
}

TEST_P(CudaTraining, GradientsOfEveryKindOfModelAreTheCpus) {
  // fp16's first scales may overflow, which is no failure; its steps are compared above.
  if (GetParam().precision == Precision::kFp16) return;
  for (const ModelCase& kind : all_model_cases()) {
    const auto cpu = cpu_backend();
    SequenceModel expected_model(*cpu, kind.shape());
    SequenceModel model(*device_.backend, kind.shape());
    const std::vector<float> row = lively_row(model.parameters(), 5);
    const ToyBatch batch = toy_batch(kind.shape(), {}, 9);
    fill(expected_model, row);
    fill(model, row);
    expected_model.forward_backward(batch.pair(), {1, 3});
    model.forward_backward(batch.pair(), {1, 3});
    const std::vector<float> expected = gradients_of(expected_model);
    const std::vector<float> actual = gradients_of(model);
    double off = 0;
    double size = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      off += std::pow(static_cast<double>(actual[i]) - expected[i], 2);
      size += std::pow(static_cast<double>(expected[i]), 2);
    }
    EXPECT_LE(std::sqrt(off / size), is_float32() ? 1e-4 : 5e-2) << name_of(kind);
  }
}

TEST_P(CudaTraining, ResumesWithEqualBitsWhenDeterministic) {
  const auto open = [&] { return GetParam().open(GetParam().precision, true).backend; };
  const auto whole_backend = open();
  SequenceModel whole(*whole_backend, shape(true));
  whole.initialise(1);
  train(whole, 1, 20);
  const std::size_t size = row_size(whole.parameters());
  std::vector<float> weights(size);
  std::vector<float> first(size);
  std::vector<float> second(size);
  std::vector<float> scale(2);
  whole.save(weights, first, second);
  if (whole.device().loss_scale) whole.save_loss_scale(scale);
  train(whole, 21, 40);

  const auto resumed_backend = open();
  SequenceModel resumed(*resumed_backend, shape(true));
  resumed.restore(weights, first, second);
  if (resumed.device().loss_scale) resumed.restore_loss_scale(scale);
  train(resumed, 21, 40);
  EXPECT_EQ(weights_of(resumed), weights_of(whole));
}

INSTANTIATE_TEST_SUITE_P(Devices, CudaTraining, testing::ValuesIn(devices()),
                         [](const auto& of) { return std::string(of.param.name); });

}  // namespace
}  // namespace traind
