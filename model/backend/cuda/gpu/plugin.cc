// The one symbol of libtraind_cuda.so.
#include "model/backend/cuda/plugin.h"

#include "model/backend/cuda/cuda_backend.h"

namespace traind::cuda {
namespace {

Backend* create(const TraindCudaOptions* options) {
  DeviceOptions device;
  device.ordinal = options->ordinal;
  device.precision = static_cast<Precision>(options->precision);
  device.deterministic = options->deterministic != 0;
  return make_cuda_backend(device).release();
}

}  // namespace
}  // namespace traind::cuda

extern "C" const TraindCudaPlugin traind_cuda_plugin = {kTraindCudaAbi, TRAIND_VERSION,
                                                        traind::cuda::create};
