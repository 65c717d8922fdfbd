// The plug-in as it was built, with the libraries of CUDA that it needs, on a machine that may or
// may not have a GPU. A program of its own: what it loads stays loaded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/backend/cuda/complaint.h"

namespace traind {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;

CudaSearch real_search() {
  CudaSearch search;
  search.plugins = {REAL_PLUGIN};
  return search;
}

TEST(RealCudaPlugin, OpensADeviceOrSaysWhatThisMachineLacks) {
  const std::string text = complaint(real_search());
  if (text.empty()) return;
  EXPECT_THAT(text, AnyOf(HasSubstr("no NVIDIA driver is installed (libcuda.so.1"),
                          HasSubstr("the NVIDIA driver is too old"),
                          HasSubstr("the NVIDIA driver finds no GPU")));
}

TEST(RealCudaPlugin, LoadsWithAllItsSymbolsAndMissesADevice) {
  CudaSearch search = real_search();
  search.driver = fake("driver");
  const std::string text = complaint(search);
  EXPECT_THAT(loaded_libraries(), Contains(HasSubstr("libcudnn.so.9")));
  if (text.empty()) GTEST_SKIP() << "there is a device on this machine";
  EXPECT_THAT(text, HasSubstr("cudaGetDeviceCount on CUDA device 0: cudaError"));
}

}  // namespace
}  // namespace traind
