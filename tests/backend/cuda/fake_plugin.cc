// In place of libtraind_cuda.so: says what it was asked for instead of opening a device. Built
// several times; see CMakeLists.txt.
#include <string>

#include "model/backend/cuda/plugin.h"
#include "model/base/error.h"

#ifdef FAKE_NEEDS
extern "C" int cudnnFake();
#endif

namespace {

traind::Backend* create(const TraindCudaOptions* options) {
  int library = 0;
#ifdef FAKE_NEEDS
  library = cudnnFake();
#endif
  throw traind::Error(traind::ErrorKind::kDevice,
                      "fake device: ordinal " + std::to_string(options->ordinal) + ", precision " +
                          std::to_string(options->precision) + ", deterministic " +
                          std::to_string(options->deterministic) + ", library " +
                          std::to_string(library));
}

}  // namespace

extern "C" const TraindCudaPlugin traind_cuda_plugin = {FAKE_ABI, FAKE_VERSION, create};
