// What CUDA, cuBLAS and cuDNN answer, in words, and whether the device is still there after it.
// Pure functions; any thread.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cudnn.h>

#include <cstddef>
#include <string>

namespace traind::cuda {

inline bool is_fine(cudaError_t status) { return status == cudaSuccess; }
inline bool is_fine(cublasStatus_t status) { return status == CUBLAS_STATUS_SUCCESS; }
inline bool is_fine(cudnnStatus_t status) { return status == CUDNN_STATUS_SUCCESS; }

// The name and, where the library has one, a sentence.
std::string words_of(cudaError_t status);
std::string words_of(cublasStatus_t status);
std::string words_of(cudnnStatus_t status);

// True of an error that no later call of the process recovers from. cuBLAS and cuDNN hide what is
// below them, so theirs are never known to be.
bool ends_the_device(cudaError_t status);
inline bool ends_the_device(cublasStatus_t) { return false; }
inline bool ends_the_device(cudnnStatus_t) { return false; }

// cuDNN says "not supported" in many ways.
bool is_not_supported(cudnnStatus_t status);

// "12.3 GB", "512.0 MB" or "800 bytes".
std::string size_in_words(std::size_t bytes);

}  // namespace traind::cuda
