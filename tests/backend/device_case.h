// The devices every operation is tested on, as the parameter of each suite.
//
// A device joins by adding a case: its tolerance, and why it cannot be had on this machine.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "model/backend/backend.h"
#include "model/backend/cpu/kernels/kernels.h"

namespace traind {

struct DeviceCase {
  std::string name;
  double tolerance = 0;  // relative, against the double-precision reference
  std::string not_here;  // why this machine cannot run it; empty when it can
  std::function<std::unique_ptr<Backend>()> make;
  bool is_gpu = false;  // has no make(): the test opens it, or skips; see cuda/real_device.h
  CellKind cell = CellKind::kLstm;  // of device_and_cell_cases()
};

inline void PrintTo(const DeviceCase& device, std::ostream* out) { *out << device.name; }
inline std::string name_of_case(const testing::TestParamInfo<DeviceCase>& info) {
  return info.param.name;
}

std::vector<DeviceCase> device_cases();
// With those that round to bfloat16: for what is compared by tolerance() alone.
std::vector<DeviceCase> rounding_device_cases();
// Each of the latter with each recurrent cell.
std::vector<DeviceCase> device_and_cell_cases();

// The CPU's instruction sets, for what is tested below the backend.
struct SetCase {
  std::string name;
  cpu::InstructionSet set = cpu::InstructionSet::kBest;
};
inline void PrintTo(const SetCase& one, std::ostream* out) { *out << one.name; }
inline std::string name_of_set(const testing::TestParamInfo<SetCase>& info) {
  return info.param.name;
}
std::vector<SetCase> set_cases();

// One device for one test, with rows of floats on it that live as long as the test.
class OnDevice : public testing::TestWithParam<DeviceCase> {
 protected:
  void SetUp() override;
  void TearDown() override;

  // Throws away nothing: buffers are freed at the end of the test.
  Tensor put(const std::vector<double>& values);
  Tensor zeros(std::size_t floats);
  Tensor filled(std::size_t floats, float value);
  std::vector<double> get(Tensor tensor);
  double tolerance() const { return GetParam().tolerance; }

  std::unique_ptr<Backend> backend_;

 private:
  std::vector<std::unique_ptr<Buffer>> buffers_;
};

// Every |actual - expected| is within `tolerance` of the largest expected magnitude (at least
// `floor`), and no actual value is NaN.
void expect_close(const std::vector<double>& actual, const std::vector<double>& expected,
                  double tolerance, const std::string& what, double floor = 1e-3);

}  // namespace traind
