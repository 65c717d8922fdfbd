// The GPU of this machine, for tests. Where there is none a test skips and says why, unless
// TRAIND_REQUIRE_GPU is set in the environment: scripts/gpu-check wants failures.
#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include "model/backend/cuda_loader.h"
#include "model/base/error.h"

namespace traind {

struct RealDevice {
  std::unique_ptr<Backend> backend;
  std::string not_here;  // why there is no backend
};

inline RealDevice real_device(Precision precision = Precision::kFp32, bool deterministic = false) {
  try {
    return {load_cuda_backend(usual_cuda_search(), precision, deterministic), ""};
  } catch (const Error& error) {
    if (std::getenv("TRAIND_REQUIRE_GPU") != nullptr) throw;
    return {nullptr, error.what()};
  }
}

}  // namespace traind
