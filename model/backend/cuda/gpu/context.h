// One opened GPU: its streams, its cuBLAS and cuDNN handles, and the one place where their answers
// are checked. Owned by the device, used by its thread; expect_alive() and check() by any.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "model/backend/cuda/device.h"
#include "model/backend/cuda/gpu/errors.h"
#include "model/backend/cuda/gpu/owned.h"

namespace traind::cuda {

using OwnedGraph = Owned<cudaGraphExec_t, &cudaGraphExecDestroy>;
using OwnedEvent = Owned<cudaEvent_t, &cudaEventDestroy>;

class Context {
 public:
  // Throws Error(kDevice) when the device cannot be had, Error(kConfig) when it has not got the
  // precision.
  explicit Context(const DeviceOptions& options);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const DeviceOptions& options() const { return options_; }
  const std::string& name() const { return name_; }          // "NVIDIA H200"
  const std::string& identity() const { return identity_; }  // "GPU-..."
  int processors() const { return processors_; }
  cudaStream_t stream() const { return stream_.get(); }
  cudaStream_t beside() const { return beside_.get(); }
  cublasHandle_t blas() const { return blas_.get(); }
  cudnnHandle_t dnn() const { return dnn_.get(); }
  // Makes the device the calling thread's own.
  void enter();

  // Throws what ended the device, if something did.
  void expect_alive();
  // Throws unless `status` is fine. `shape` is asked for its words only then.
  template <class Status, class Shape>
  void check(Status status, const char* call, const Shape& shape) {
    if (!is_fine(status)) fail(call + shape(), words_of(status), ends_the_device(status));
  }
  template <class Status>
  void check(Status status, const char* call) {
    check(status, call, [] { return std::string(); });
  }

  // Device memory, to be freed with cudaFree.
  void* allocate(std::size_t bytes);
  // Throws Error(kDevice) for `call` that did not get its memory.
  [[noreturn]] void fail_for_memory(const char* call, std::size_t bytes);

  // What is queued between the two becomes a graph. abandon_capture() ends it without one.
  void begin_capture();
  OwnedGraph end_capture();
  void abandon_capture() noexcept;

 private:
  using OwnedStream = Owned<cudaStream_t, &cudaStreamDestroy>;
  using OwnedMemory = Owned<void*, &cudaFree>;

  [[noreturn]] void fail(const std::string& what, const std::string& words, bool lost);
  void open_device();
  void open_libraries();

  const DeviceOptions options_;
  const std::thread::id thread_ = std::this_thread::get_id();
  std::string name_;
  std::string identity_;
  int processors_ = 0;
  OwnedStream stream_;
  OwnedStream beside_;
  OwnedMemory blas_workspace_;
  Owned<cublasHandle_t, &cublasDestroy> blas_;
  Owned<cudnnHandle_t, &cudnnDestroy> dnn_;
  bool capturing_ = false;

  std::atomic<bool> lost_{false};
  std::mutex mutex_;
  std::string why_lost_;  // guarded by mutex_
};

// Device memory that goes with its owner.
class Scratch {
 public:
  Scratch(Context& context, std::size_t bytes) : memory_(context.allocate(bytes)) {}
  void* data() const { return memory_.get(); }

 private:
  Owned<void*, &cudaFree> memory_;
};

}  // namespace traind::cuda
