// Which device one gets, why, and what is said when it cannot be had.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/backend/backend.h"
#include "model/backend/cpu/cpu_backend.h"
#include "model/backend/cuda_loader.h"
#include "model/base/error.h"
#include "tests/backend/device_rnn.h"
#include "tests/backend/reference.h"

namespace traind {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

// A machine without a GPU, whatever this one has. All ways to lack one: cuda/plugin_test.cc.
CudaSearch no_driver() {
  CudaSearch search;
  search.driver = "libcuda_of_nobody.so.1";
  return search;
}

TEST(DeviceChoice, AutoSaysWhyItIsTheCpu) {
  const ChosenBackend chosen = make_backend({"auto", 1}, no_driver());
  EXPECT_THAT(chosen.reason, StartsWith("auto: no NVIDIA driver is installed"));
  EXPECT_EQ(chosen.backend->info().kind, "cpu");
}

TEST(DeviceChoice, CpuAsksForNoDriver) {
  const ChosenBackend chosen = make_backend({"cpu", 1}, no_driver());
  EXPECT_EQ(chosen.reason, "cpu: as the run file asks");
}

TEST(DeviceChoice, InfoNamesProcessorThreadsAndInstructionSet) {
  const DeviceInfo two = make_backend({"cpu", 2}).backend->info();
  EXPECT_EQ(two.threads, 2);
  EXPECT_THAT(two.name, MatchesRegex(".+ \\(2 threads, (avx512|avx2|baseline)\\)"));
  EXPECT_THAT(cpu::make_cpu_backend({1, cpu::InstructionSet::kBaseline})->info().name,
              HasSubstr("(1 thread, baseline)"));
  EXPECT_GE(make_backend({"cpu", 0}).backend->info().threads, 1);
}

ErrorKind kind_of_failure(const DeviceChoice& choice, const std::string& part) {
  try {
    make_backend(choice, no_driver());
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(part));
    return error.kind();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorKind::kInternal;
}

TEST(DeviceChoice, SaysWhatIsMissingForCuda) {
  EXPECT_EQ(kind_of_failure({"cuda", 0}, "device \"cuda\": no NVIDIA driver is installed"),
            ErrorKind::kDevice);
}

TEST(DeviceChoice, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(kind_of_failure({"tpu", 0}, "\"tpu\" is not known"), ErrorKind::kConfig);
  EXPECT_EQ(kind_of_failure({"cpu", -1}, "threads"), ErrorKind::kConfig);
  for (const Precision precision : {Precision::kTf32, Precision::kFp16}) {
    EXPECT_EQ(kind_of_failure({"cpu", 1, precision}, "precision = \"fp32\" or \"bf16\""),
              ErrorKind::kConfig);
  }
}

TEST(DeviceChoice, CpuMultipliesBfloat16WhereItCan) {
  const DeviceChoice choice{"cpu", 1, Precision::kBf16};
  if (!cpu::machine_has(cpu::InstructionSet::kAvx512Bf16)) {
    EXPECT_EQ(kind_of_failure(choice, "no instructions for bfloat16"), ErrorKind::kConfig);
    return;
  }
  const ChosenBackend chosen = make_backend(choice, no_driver());
  EXPECT_EQ(chosen.reason, "cpu: as the run file asks");
  EXPECT_THAT(chosen.backend->info().name, HasSubstr("(1 thread, avx512, bf16)"));
}

TEST(DeviceChoice, AutoSaysWhatTheCpuMakesOfAPrecision) {
  const auto of = [](Precision precision) {
    return make_backend({"auto", 1, precision}, no_driver());
  };
  EXPECT_THAT(of(Precision::kFp32).reason, Not(HasSubstr("float32")));
  for (const Precision precision : {Precision::kTf32, Precision::kFp16}) {
    EXPECT_THAT(of(precision).reason, EndsWith("A CPU computes in float32 where tf32 or fp16 is "
                                               "asked for"));
    EXPECT_THAT(of(precision).backend->info().name, Not(HasSubstr("bf16")));
  }
  const ChosenBackend bf16 = of(Precision::kBf16);
  const bool has = cpu::machine_has(cpu::InstructionSet::kAvx512Bf16);
  EXPECT_EQ(bf16.backend->info().name.find("bf16") != std::string::npos, has);
  EXPECT_EQ(bf16.reason.find("no instructions for bfloat16") == std::string::npos, has);
}

TEST(CpuArguments, ThatContradictEachOtherAreRefusedByName) {
  const auto backend = cpu::make_cpu_backend({1});
  const auto row = backend->allocate(100);
  LossCall call;
  call.width = 2;
  call.words = 3;
  call.weights = {row->tensor().part(0, 6), row->tensor().part(6, 3)};
  call.hidden = row->tensor().part(9, 4);
  reference::Batch targets{{0, 3}, {2}};
  call.targets = targets.view(2);
  const auto complaint = [&] {
    try {
      backend->loss(call);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kDevice);
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(complaint(), "loss: a target is not below the number of words");
  targets.lengths[0] = 3;
  EXPECT_EQ(complaint(), "loss: a length is not within 1 and the number of steps");
  targets = {{0, 1}, {2}};
  call.targets = targets.view(2);
  EXPECT_EQ(complaint(), "");
  EXPECT_THROW(backend->write(row->tensor(), std::vector<float>(99)), Error);
}

TEST(CpuArguments, AGruHasNoC) {
  const auto backend = cpu::make_cpu_backend({1});
  const reference::RnnCase shape{1, 1, 2, 3, 4, 1, 1, false, true, 0, CellKind::kGru};
  const auto row = backend->allocate(shape.size());
  const auto rest = backend->allocate(2 * shape.state_size());
  const reference::Batch batch{{1}, {1}};
  RnnForward call;
  call.input = batch.view(1);
  call.initial = {rest->tensor().part(0, 3), rest->tensor().part(3, 3)};
  call.output = rest->tensor().part(0, 3);
  RnnStack stack = stack_over(shape, row->tensor());
  const auto complaint = [&] {
    try {
      backend->rnn_forward(stack, call);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(complaint(), "rnn_forward: there is a c, which a GRU has not");
  call.initial.c = {};
  EXPECT_EQ(complaint(), "");
  stack.cell = CellKind::kLstm;  // whose weights have 4H rows
  EXPECT_THAT(complaint(), StartsWith("rnn_forward: the stack has not"));
}

TEST(CpuMemory, IsZeroAtFirstAndReportsWhatItCannotHave) {
  const auto backend = cpu::make_cpu_backend({1});
  std::vector<float> values(1000, 1);
  backend->read(backend->allocate(1000)->tensor(), values);
  EXPECT_EQ(values, std::vector<float>(1000, 0));
}

}  // namespace
}  // namespace traind
