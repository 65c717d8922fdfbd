#include "tests/backend/device_case.h"

#include <algorithm>
#include <cmath>

#include "model/backend/cpu/cpu_backend.h"
#include "model/backend/cuda/cuda_backend.h"
#include "tests/backend/cuda/real_device.h"

namespace traind {
namespace {

DeviceCase cpu_case(const std::string& name, cpu::InstructionSet set, double tolerance) {
  DeviceCase device;
  device.name = name;
  device.tolerance = tolerance;
  if (!cpu::machine_has(set)) device.not_here = "this processor has not the set of " + name;
  device.make = [set] { return cpu::make_cpu_backend({2, set}); };
  return device;
}

// All of the CUDA backend but what talks to a GPU; see tests/backend/cuda/host_device.cc.
DeviceCase cuda_on_host_case() {
  DeviceCase device;
  device.name = "CudaOnHost";
  device.tolerance = 2e-5;
  device.make = [] { return cuda::make_cuda_backend({}); };
  return device;
}

// cuDNN's float32 sigmoid and tanh are less exact than ours.
DeviceCase cuda_case() {
  DeviceCase device;
  device.name = "Cuda";
  device.tolerance = 1e-4;
  device.is_gpu = true;
  return device;
}

}  // namespace

std::vector<SetCase> set_cases() {
  return {{"Baseline", cpu::InstructionSet::kBaseline},
          {"Avx2", cpu::InstructionSet::kAvx2},
          {"Avx512", cpu::InstructionSet::kAvx512},
          {"Bf16", cpu::InstructionSet::kAvx512Bf16}};
}

std::vector<DeviceCase> device_cases() {
  std::vector<DeviceCase> devices;
  for (const SetCase& one : set_cases()) {
    if (one.set == cpu::InstructionSet::kAvx512Bf16) continue;
    devices.push_back(cpu_case("Cpu" + one.name, one.set, 2e-5));
  }
  devices.push_back(cuda_on_host_case());
  devices.push_back(cuda_case());
  return devices;
}

std::vector<DeviceCase> rounding_device_cases() {
  std::vector<DeviceCase> devices = device_cases();
  // An operand has 8 bits, and a gradient is the sum of many products.
  devices.push_back(cpu_case("CpuBf16", cpu::InstructionSet::kAvx512Bf16, 1.5e-2));
  return devices;
}

std::vector<DeviceCase> device_and_cell_cases() {
  std::vector<DeviceCase> all = rounding_device_cases();
  for (DeviceCase device : rounding_device_cases()) {
    device.name += "Gru";
    device.cell = CellKind::kGru;
    all.push_back(device);
  }
  return all;
}

void OnDevice::SetUp() {
  if (!GetParam().not_here.empty()) GTEST_SKIP() << GetParam().not_here;
  if (GetParam().is_gpu) {
    RealDevice device = real_device();
    if (!device.backend) GTEST_SKIP() << device.not_here;
    backend_ = std::move(device.backend);
    return;
  }
  backend_ = GetParam().make();
}

void OnDevice::TearDown() { buffers_.clear(); }

Tensor OnDevice::zeros(std::size_t floats) {
  buffers_.push_back(backend_->allocate(floats));
  return buffers_.back()->tensor();
}

Tensor OnDevice::put(const std::vector<double>& values) {
  const Tensor tensor = zeros(values.size());
  backend_->write(tensor, std::vector<float>(values.begin(), values.end()));
  return tensor;
}

Tensor OnDevice::filled(std::size_t floats, float value) {
  const Tensor tensor = zeros(floats);
  backend_->write(tensor, std::vector<float>(floats, value));
  return tensor;
}

std::vector<double> OnDevice::get(Tensor tensor) {
  std::vector<float> values(tensor.size);
  backend_->read(tensor, values);
  return {values.begin(), values.end()};
}

void expect_close(const std::vector<double>& actual, const std::vector<double>& expected,
                  double tolerance, const std::string& what, double floor) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  double largest = floor;
  for (const double value : expected) largest = std::max(largest, std::fabs(value));
  double worst = 0;
  std::size_t where = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double off = std::fabs(actual[i] - expected[i]);
    ASSERT_FALSE(std::isnan(off)) << what << ": element " << i << " is " << actual[i];
    if (off > worst) {
      worst = off;
      where = i;
    }
  }
  EXPECT_LE(worst, tolerance * largest)
      << what << ": element " << where << " is " << (actual.empty() ? 0 : actual[where]) << ", not "
      << (expected.empty() ? 0 : expected[where]);
}

}  // namespace traind
