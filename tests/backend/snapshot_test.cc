// A snapshot holds what was there when it was taken, whatever is done to the tensors afterwards.
#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "tests/backend/device_case.h"

namespace traind {
namespace {

class SnapshotOn : public OnDevice {};

std::vector<float> held_by(Snapshot& snapshot) {
  std::vector<float> values;
  std::thread writer([&] {
    const std::span<const float> floats = snapshot.wait();
    values.assign(floats.begin(), floats.end());
  });
  writer.join();
  return values;
}

TEST_P(SnapshotOn, IsWhatTheTensorsHeldThen) {
  std::vector<float> values(100'003);
  std::iota(values.begin(), values.end(), 1.0f);
  const Tensor large = zeros(values.size());
  backend_->write(large, values);
  const Tensor small = filled(5, -2);
  const Tensor both[] = {small, large};
  const auto snapshot = backend_->snapshot(both);
  backend_->write(large, std::vector<float>(values.size(), 9));
  std::vector<float> expected(5, -2);
  expected.insert(expected.end(), values.begin(), values.end());
  EXPECT_EQ(held_by(*snapshot), expected);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(snapshot->wait().data()) % 64, 0u);
}

TEST_P(SnapshotOn, HoldsTheUpdateBeforeItAndNotTheOneAfter) {
  UpdateStep step;
  step.parameters = zeros(64);
  step.gradients = filled(64, 1);
  step.first_moment = zeros(64);
  step.second_moment = zeros(64);
  backend_->update(step);
  const auto snapshot = backend_->snapshot({&step.parameters, 1});
  backend_->write(step.gradients, std::vector<float>(64, 1));
  step.step = 2;
  backend_->update(step);
  const std::vector<double> now = get(step.parameters);
  const std::vector<float> then = held_by(*snapshot);
  EXPECT_NEAR(then[0], -0.001, 1e-6);
  EXPECT_NEAR(now[0], -0.002, 1e-6);
}

TEST_P(SnapshotOn, SeveralLiveSideBySide) {
  const Tensor tensor = filled(100, 1);
  const auto first = backend_->snapshot({&tensor, 1});
  backend_->write(tensor, std::vector<float>(100, 2));
  const auto second = backend_->snapshot({&tensor, 1});
  EXPECT_EQ(held_by(*first), std::vector<float>(100, 1));
  EXPECT_EQ(held_by(*second), std::vector<float>(100, 2));
}

TEST_P(SnapshotOn, TheNextOneHasTheMemoryOfTheLast) {
  const Tensor tensor = filled(5000, 1);
  const float* const first = backend_->snapshot({&tensor, 1})->wait().data();
  EXPECT_EQ(backend_->snapshot({&tensor, 1})->wait().data(), first);
}

TEST_P(SnapshotOn, MemoryComesBackForLargerAndSmaller) {
  for (const std::size_t floats : {10, 100000, 1000, 200000}) {
    const Tensor tensor = filled(floats, static_cast<float>(floats));
    const auto snapshot = backend_->snapshot({&tensor, 1});
    EXPECT_EQ(held_by(*snapshot), std::vector<float>(floats, static_cast<float>(floats)));
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, SnapshotOn, testing::ValuesIn(device_cases()), name_of_case);

}  // namespace
}  // namespace traind
