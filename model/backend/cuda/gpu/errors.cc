#include "model/backend/cuda/gpu/errors.h"

#include <cstdio>
#include <iterator>

namespace traind::cuda {

std::string words_of(cudaError_t status) {
  return std::string(cudaGetErrorName(status)) + " (" + cudaGetErrorString(status) + ")";
}

std::string words_of(cublasStatus_t status) { return cublasGetStatusName(status); }

std::string words_of(cudnnStatus_t status) {
  char detail[512] = {};
  cudnnGetLastErrorString(detail, std::size(detail));
  const std::string name = cudnnGetErrorString(status);
  return detail[0] == '\0' ? name : name + " (" + detail + ")";
}

bool ends_the_device(cudaError_t status) {
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContained:
    case cudaErrorExternalDevice:
    case cudaErrorContextIsDestroyed:
    case cudaErrorMpsConnectionFailed:
    case cudaErrorMpsClientTerminated:
    case cudaErrorUnknown:
      return true;
    default:
      return false;
  }
}

bool is_not_supported(cudnnStatus_t status) {
  // cuDNN 9 numbers the reasons of one kind from a common thousand on.
  constexpr int kKind = 1000;
  return static_cast<int>(status) / kKind == static_cast<int>(CUDNN_STATUS_NOT_SUPPORTED) / kKind;
}

std::string size_in_words(std::size_t bytes) {
  char text[64];
  const auto size = static_cast<double>(bytes);
  if (size >= 1e9) {
    std::snprintf(text, sizeof text, "%.1f GB", size / 1e9);
  } else if (size >= 1e6) {
    std::snprintf(text, sizeof text, "%.1f MB", size / 1e6);
  } else {
    std::snprintf(text, sizeof text, "%zu bytes", bytes);
  }
  return text;
}

}  // namespace traind::cuda
