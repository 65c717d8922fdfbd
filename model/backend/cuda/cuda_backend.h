// Training on one NVIDIA GPU through CUDA and cuDNN. See model/backend/backend.h for the contract.
#pragma once

#include <memory>

#include "model/backend/backend.h"
#include "model/backend/cuda/device.h"

namespace traind::cuda {

// Throws Error(kDevice) when the device cannot be opened.
std::unique_ptr<Backend> make_cuda_backend(const DeviceOptions& options);

}  // namespace traind::cuda
