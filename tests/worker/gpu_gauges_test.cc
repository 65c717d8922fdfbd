// The gauges against a library that stands in for NVIDIA's (fake_nvml.cc): the real one needs a
// GPU.
#include "model/worker/gpu_gauges.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <thread>

namespace traind {
namespace {

TEST(GpuGauges, AreInTheUnitsOfTheEvents) {
  const GpuGauges gauges = gauges_of("GPU-whole", TRAIND_FAKE_NVML);
  EXPECT_DOUBLE_EQ(gauges.utilisation, 0.87);
  EXPECT_EQ(gauges.memory_bytes, 40e9);
  EXPECT_EQ(gauges.memory_total_bytes, 150e9);
  EXPECT_EQ(gauges.celsius, 61);
  EXPECT_DOUBLE_EQ(gauges.watts, 412.5);
}

TEST(GpuGauges, LeaveOutWhatADeviceDoesNotMeasure) {
  const GpuGauges gauges = gauges_of("MIG-slice", TRAIND_FAKE_NVML);
  EXPECT_TRUE(gauges.known());
  EXPECT_EQ(gauges.memory_bytes, 40e9);
  EXPECT_TRUE(std::isnan(gauges.utilisation));
  EXPECT_TRUE(std::isnan(gauges.celsius));
  EXPECT_TRUE(std::isnan(gauges.watts));
}

TEST(GpuGauges, AreUnknownWithoutTheLibraryTheDeviceOrTheFunctions) {
  EXPECT_FALSE(gauges_of("GPU-whole", "/nowhere/libnvidia-ml.so.1").known());
  EXPECT_FALSE(gauges_of("GPU-other", TRAIND_FAKE_NVML).known());
  EXPECT_FALSE(gauges_of("GPU-whole", "libm.so.6").known());
}

TEST(GpuMonitor, AsksOnAThreadOfItsOwn) {
  const GpuMonitor monitor("GPU-whole", TRAIND_FAKE_NVML, std::chrono::milliseconds(1));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!monitor.latest().known() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(monitor.latest().celsius, 61);
}

TEST(GpuMonitor, IsNotThereWithoutAGpu) {
  EXPECT_FALSE(watch_gpu({.kind = "cpu", .name = "A processor", .identity = ""}));
  const auto gauges = watch_gpu({.kind = "cuda", .name = "A GPU", .identity = "GPU-whole"});
  ASSERT_TRUE(gauges);
  gauges();
}

}  // namespace
}  // namespace traind
