// What is said when the CUDA plug-in cannot be had: each way to fail has its sentence and remedy.
// The drivers and plug-ins are real shared libraries, built for the purpose next to this program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/backend/cuda/complaint.h"

namespace traind {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

TEST(CudaPlugin, TheProgramItselfLinksNothingOfCuda) {
  EXPECT_THAT(loaded_libraries(), Each(Not(HasSubstr("libcu"))));
}

TEST(CudaDriver, MissingIsSaidWithTheDriverToInstall) {
  CudaSearch search = search_of("driver", "plugin");
  search.driver = "libcuda_of_nobody.so.1";
  EXPECT_THAT(complaint(search),
              AllOf(HasSubstr("no NVIDIA driver is installed (libcuda_of_nobody.so.1"),
                    HasSubstr("install driver 580 or later"), HasSubstr("device = \"cpu\"")));
}

TEST(CudaDriver, TooOldIsSaidWithBothVersions) {
  EXPECT_EQ(complaint(search_of("old_driver", "plugin")),
            "the NVIDIA driver is too old: it knows CUDA 12.4, and this program needs CUDA 13.0: "
            "install driver 580 or later");
}

TEST(CudaDriver, NoDeviceIsSaidWithWhatMayHideIt) {
  for (const char* driver : {"driver_without_device", "driver_with_hidden_devices"}) {
    EXPECT_THAT(complaint(search_of(driver, "plugin")),
                AllOf(HasSubstr("the NVIDIA driver finds no GPU"), HasSubstr("nvidia-smi -L"),
                      HasSubstr("CUDA_VISIBLE_DEVICES")));
  }
}

TEST(CudaDriver, FailuresToStartHaveEachTheirRemedy) {
  EXPECT_THAT(complaint(search_of("mismatched_driver", "plugin")),
              HasSubstr("restart the machine"));
  EXPECT_THAT(complaint(search_of("stub_driver", "plugin")), HasSubstr("LD_LIBRARY_PATH"));
  EXPECT_THAT(complaint(search_of("failing_driver", "plugin")),
              HasSubstr("cuInit gives error 999"));
  EXPECT_THAT(complaint(search_of("plugin", "plugin")), HasSubstr("the NVIDIA driver is broken"));
}

TEST(CudaPlugin, MissingIsSaidWithEveryPlaceThatWasLookedIn) {
  CudaSearch search = search_of("driver", "plugin");
  search.plugins = {"/nowhere/a.so", "/nowhere/b.so"};
  EXPECT_THAT(complaint(search),
              AllOf(HasSubstr("no CUDA plug-in is installed (looked for /nowhere/a.so, "
                              "/nowhere/b.so)"),
                    HasSubstr("TRAIND_CUDA_PLUGIN")));
}

TEST(CudaPlugin, WithoutCudnnSaysWhichPackagesBringIt) {
  EXPECT_THAT(
      complaint(search_of("driver", "plugin_without_cudnn")),
      AllOf(HasSubstr("cuDNN 9 is missing (libcudnn_absent.so.9"), HasSubstr("libcudnn9-cuda-13"),
            HasSubstr("nvidia-cudnn-cu13"), HasSubstr("TRAIND_CUDNN_DIR")));
}

TEST(CudaPlugin, WithATooOldCudnnSaysSo) {
  EXPECT_THAT(complaint(search_of("driver", "plugin_with_old_cudnn")),
              AllOf(HasSubstr("cuDNN 9 is too old"), HasSubstr("undefined symbol: cudnnFake"),
                    HasSubstr("libcudnn9-cuda-13")));
}

TEST(CudaPlugin, WithoutAnotherLibraryNamesIt) {
  EXPECT_THAT(complaint(search_of("driver", "plugin_without_library")),
              AllOf(HasSubstr("does not load: libabsent.so.1"), HasSubstr("of version ")));
}

TEST(CudaPlugin, TakesCudnnFromTheFolderItIsGiven) {
  CudaSearch search = search_of("driver", "plugin_with_cudnn");
  search.cudnn_folder = FAKES "/cudnn";
  EXPECT_THAT(complaint(search), EndsWith("library 7"));
}

TEST(CudaPlugin, OfAnotherInterfaceIsNotCalled) {
  EXPECT_THAT(complaint(search_of("driver", "plugin_of_other_abi")),
              AllOf(HasSubstr("has interface 99, this program 1"),
                    HasSubstr("install both of the same version")));
}

TEST(CudaPlugin, OfAnotherVersionIsNotCalled) {
  EXPECT_THAT(complaint(search_of("driver", "plugin_of_other_version")),
              AllOf(HasSubstr("is of version 9.8.7, this program of " TRAIND_VERSION),
                    HasSubstr("install both of the same version")));
}

TEST(CudaPlugin, ThatIsNoneIsSaidToBeNone) {
  EXPECT_THAT(complaint(search_of("driver", "driver")), HasSubstr("is not a CUDA plug-in"));
}

TEST(CudaPlugin, GetsTheChoiceAndItsErrorsArriveWhole) {
  EXPECT_EQ(complaint(search_of("driver", "plugin"), Precision::kBf16, true),
            "fake device: ordinal 0, precision 2, deterministic 1, library 0");
}

TEST(CudaSearch, OfTheEnvironmentComesAlone) {
  setenv("TRAIND_CUDA_PLUGIN", "/some/where.so", 1);
  setenv("TRAIND_CUDNN_DIR", "/some/nvidia/cudnn", 1);
  const CudaSearch search = usual_cuda_search();
  EXPECT_THAT(search.plugins, ElementsAre("/some/where.so"));
  EXPECT_EQ(search.cudnn_folder, "/some/nvidia/cudnn");
  unsetenv("TRAIND_CUDA_PLUGIN");
  unsetenv("TRAIND_CUDNN_DIR");
  EXPECT_THAT(usual_cuda_search().plugins, AllOf(SizeIs(2), Each(EndsWith("/libtraind_cuda.so"))));
}

TEST(DeviceAuto, FallsBackToTheCpuWithTheSentence) {
  const ChosenBackend chosen = make_backend({"auto", 1}, search_of("old_driver", "plugin"));
  EXPECT_EQ(chosen.backend->info().kind, "cpu");
  EXPECT_THAT(chosen.reason, HasSubstr("auto: the NVIDIA driver is too old"));
  EXPECT_THAT(chosen.reason, Not(HasSubstr("float32")));
}

TEST(DeviceAuto, SaysThatACpuDoesNotKnowThePrecision) {
  const ChosenBackend chosen =
      make_backend({"auto", 1, Precision::kFp16}, search_of("old_driver", "plugin"));
  EXPECT_THAT(chosen.reason,
              EndsWith(". A CPU computes in float32 where tf32 or fp16 is asked for"));
}

TEST(DeviceCuda, FailsWithTheSentenceInsteadOfFallingBack) {
  try {
    make_backend({"cuda", 0}, search_of("driver_without_device", "plugin"));
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDevice);
    EXPECT_THAT(error.what(), HasSubstr("device \"cuda\": the NVIDIA driver finds no GPU"));
  }
}

}  // namespace
}  // namespace traind
