// What is recorded runs once, in order, with what was staged for it, whether it runs one by one,
// into a graph or out of one.
#include "model/backend/cuda/recorder.h"

#include <gtest/gtest.h>

#include <vector>

#include "model/backend/cuda/kernels/layer.h"

namespace traind::cuda {
namespace {

class RecorderTest : public testing::Test {
 protected:
  RecorderTest() : result_(device_.allocate(sizeof(float) * 4)) {}
  ~RecorderTest() override { device_.release(result_); }

  // Work whose outcome is the row of a table that the staged id names.
  void record_look_up(const float* table, std::int32_t id, std::int32_t width = 2) {
    EmbeddedInput look_up;
    look_up.embedding = table;
    look_up.ids = recorder_.stage(id);
    look_up.lengths = recorder_.stage(std::int32_t{1});
    look_up.x = {result_, Type::kFloat, 0};
    look_up.steps = 1;
    look_up.batch = 1;
    look_up.width = width;
    look_up.wide = width;
    recorder_.launch(look_up);
  }
  std::vector<float> result() {
    device_.wait();
    const auto* floats = static_cast<const float*>(result_);
    return {floats, floats + 2};
  }

  Device device_{DeviceOptions{}};
  void* result_;
  Recorder recorder_{device_};
  const std::vector<float> table_ = {10, 11, 20, 21, 30, 31};
};

TEST_F(RecorderTest, RunsThenCapturesThenReplays) {
  for (int i = 0; i < 5; ++i) {
    record_look_up(table_.data(), i % 3);
    recorder_.flush();
    const float first = 10.0f * static_cast<float>(i % 3 + 1);
    EXPECT_EQ(result(), (std::vector<float>{first, first + 1})) << "flush " << i;
  }
  EXPECT_EQ(recorder_.statistics().run, 1);
  EXPECT_EQ(recorder_.statistics().captured, 1);
  EXPECT_EQ(recorder_.statistics().replayed, 3);
}

TEST_F(RecorderTest, OtherArgumentsAreOtherWork) {
  const std::vector<float> other = {70, 71};
  for (int i = 0; i < 3; ++i) {
    record_look_up(table_.data(), 0);
    recorder_.flush();
    EXPECT_EQ(result(), (std::vector<float>{10, 11}));
    record_look_up(other.data(), 0);
    recorder_.flush();
    EXPECT_EQ(result(), (std::vector<float>{70, 71}));
  }
  EXPECT_EQ(recorder_.statistics().captured, 2);
}

TEST_F(RecorderTest, OrderIsPartOfTheWork) {
  std::vector<float> a(1, 5);
  for (int i = 0; i < 3; ++i) {
    recorder_.zero(a.data(), sizeof(float));
    record_look_up(a.data(), 0, 1);
    recorder_.flush();
    EXPECT_EQ(result()[0], 0);
    a[0] = 5;
    record_look_up(a.data(), 0, 1);
    recorder_.zero(a.data(), sizeof(float));
    recorder_.flush();
    EXPECT_EQ(result()[0], 5);
    a[0] = 5;
  }
  EXPECT_EQ(recorder_.statistics().captured, 2);
}

// The device is far behind: nobody waits between the flushes.
TEST_F(RecorderTest, WhatIsStagedForLaterWorkLeavesEarlierWorkAlone) {
  std::vector<void*> results;
  for (int i = 0; i < 12; ++i) {
    results.push_back(device_.allocate(2 * sizeof(float)));
    EmbeddedInput look_up;
    look_up.embedding = table_.data();
    look_up.ids = recorder_.stage(std::int32_t{i % 3});
    look_up.lengths = recorder_.stage(std::int32_t{1});
    look_up.x = {results.back(), Type::kFloat, 0};
    look_up.steps = look_up.batch = 1;
    look_up.width = look_up.wide = 2;
    recorder_.launch(look_up);
    recorder_.flush();
  }
  device_.wait();
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(*static_cast<float*>(results[i]), 10.0f * static_cast<float>(i % 3 + 1));
    device_.release(results[i]);
  }
}

TEST_F(RecorderTest, MakesRoomForMoreThanItHad) {
  const std::vector<std::int32_t> many(2'000'000, 1);
  recorder_.room_for(many.size() * sizeof(std::int32_t) + 100);
  EmbeddedInput look_up;
  look_up.embedding = table_.data();
  look_up.ids = recorder_.stage(std::span<const std::int32_t>(many)) + many.size() - 1;
  look_up.lengths = recorder_.stage(std::int32_t{1});
  look_up.x = {result_, Type::kFloat, 0};
  look_up.steps = look_up.batch = 1;
  look_up.width = look_up.wide = 2;
  recorder_.launch(look_up);
  recorder_.flush();
  EXPECT_EQ(result(), (std::vector<float>{20, 21}));
}

struct Wanted {
  std::size_t count = 0;
  float* floats = nullptr;
  void lay_out(Carver& carver) { floats = carver.take<float>(count); }
};

TEST_F(RecorderTest, ARegionGrowsOnlyAfterTheWorkThatUsesIt) {
  Region region(device_);
  Wanted small{4};
  recorder_.lay_out(region, small);
  recorder_.zero(small.floats, 4 * sizeof(float));
  record_look_up(small.floats, 0);
  Wanted large{4000};
  recorder_.lay_out(region, large);
  EXPECT_EQ(result(), (std::vector<float>{0, 0}));
  Wanted again{4};
  recorder_.lay_out(region, again);
  EXPECT_EQ(again.floats, large.floats);
}

}  // namespace
}  // namespace traind::cuda
