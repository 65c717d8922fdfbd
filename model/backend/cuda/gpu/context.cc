#include "model/backend/cuda/gpu/context.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "model/base/error.h"

namespace traind::cuda {
namespace {

// Oldest devices that CUDA 13 makes code for, and that bfloat16 and TF32 units are in.
constexpr int kOldest = 75;
constexpr int kWithBfloat16 = 80;

// What NVIDIA recommends for Hopper; older devices want less.
constexpr std::size_t kBlasWorkspace = std::size_t{32} << 20;

std::string capability_in_words(int capability) {
  return std::to_string(capability / 10) + "." + std::to_string(capability % 10);
}

// As nvidia-smi and NVML write it.
std::string identity_of(const cudaUUID_t& uuid) {
  std::string text = "GPU-";
  for (std::size_t i = 0; i < sizeof uuid.bytes; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(uuid.bytes[i]));
    text += digits;
  }
  return text;
}

}  // namespace

Context::Context(const DeviceOptions& options) : options_(options) {
  open_device();
  open_libraries();
}

void Context::open_device() {
  name_ = "CUDA device " + std::to_string(options_.ordinal);
  int count = 0;
  check(cudaGetDeviceCount(&count), "cudaGetDeviceCount");
  if (options_.ordinal < 0 || options_.ordinal >= count) {
    throw Error(ErrorKind::kDevice,
                name_ + " is not there: " + std::to_string(count) + " can be seen");
  }
  enter();
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, options_.ordinal), "cudaGetDeviceProperties");
  name_ = properties.name;
  identity_ = identity_of(properties.uuid);
  processors_ = properties.multiProcessorCount;
  const int capability = 10 * properties.major + properties.minor;
  if (capability < kOldest) {
    throw Error(ErrorKind::kDevice, name_ + " has compute capability " +
                                        capability_in_words(capability) + "; CUDA 13 needs " +
                                        capability_in_words(kOldest) + " or above");
  }
  const bool wants_ampere =
      options_.precision == Precision::kBf16 || options_.precision == Precision::kTf32;
  if (wants_ampere && capability < kWithBfloat16) {
    throw Error(ErrorKind::kConfig,
                name_ + " has neither bf16 nor tf32; set precision = \"fp16\" or \"fp32\"");
  }
  check(cudaStreamCreateWithFlags(stream_.out(), cudaStreamNonBlocking), "cudaStreamCreate");
  check(cudaStreamCreateWithFlags(beside_.out(), cudaStreamNonBlocking), "cudaStreamCreate");
}

void Context::open_libraries() {
  // cuDNN's standard algorithm has cuBLAS handles of its own on several streams. Their sums depend
  // on which workspace a product gets, unless there is one of a fixed size for each stream.
  if (options_.deterministic) setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
  check(cublasCreate(blas_.out()), "cublasCreate");
  check(cublasSetStream(blas(), stream()), "cublasSetStream");
  // A workspace of our own: what cuBLAS allocates by itself may not be part of a graph. After the
  // stream, which puts the library's own workspace back.
  blas_workspace_ = OwnedMemory(allocate(kBlasWorkspace));
  check(cublasSetWorkspace(blas(), blas_workspace_.get(), kBlasWorkspace), "cublasSetWorkspace");
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
  if (options_.precision == Precision::kTf32) math = CUBLAS_TF32_TENSOR_OP_MATH;
  if (compute_type(options_.precision) != Type::kFloat) {
    math = static_cast<cublasMath_t>(CUBLAS_DEFAULT_MATH |
                                     CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
  }
  check(cublasSetMathMode(blas(), math), "cublasSetMathMode");
  check(cudnnCreate(dnn_.out()), "cudnnCreate");
  check(cudnnSetStream(dnn(), stream()), "cudnnSetStream");
}

void Context::enter() { check(cudaSetDevice(options_.ordinal), "cudaSetDevice"); }

void Context::expect_alive() {
  if (!lost_.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(mutex_);
  throw Error(ErrorKind::kDeviceLost, why_lost_);
}

void Context::fail(const std::string& what, const std::string& words, bool lost) {
  expect_alive();
  if (std::this_thread::get_id() == thread_) abandon_capture();
  // What the CUDA runtime remembers. A refused request is forgotten with the first question; what
  // ended the device is answered again and again, and also hides behind cuBLAS and cuDNN.
  lost = lost || ends_the_device(cudaGetLastError()) || !is_fine(cudaGetLastError());
  const bool opened = stream() != nullptr;
  if (opened && !lost) lost = ends_the_device(cudaStreamQuery(stream()));
  const std::string message = what + " on " + name_ + ": " + words;
  // A device that cannot be opened is one that is not to be had.
  if (!opened || !lost) throw Error(ErrorKind::kDevice, message);
  const std::lock_guard lock(mutex_);
  why_lost_ = message + "; the device failed in this call or in work queued before it";
  lost_.store(true, std::memory_order_release);
  throw Error(ErrorKind::kDeviceLost, why_lost_);
}

void* Context::allocate(std::size_t bytes) {
  void* memory = nullptr;
  const std::size_t wanted = std::max<std::size_t>(bytes, 1);
  const cudaError_t status = cudaMalloc(&memory, wanted);
  if (status == cudaErrorMemoryAllocation) fail_for_memory("cudaMalloc", wanted);
  check(status, "cudaMalloc", [&] { return " [" + size_in_words(wanted) + "]"; });
  return memory;
}

void Context::fail_for_memory(const char* call, std::size_t bytes) {
  cudaGetLastError();  // else the next kernel would be taken for the one that failed
  std::size_t free = 0;
  std::size_t all = 0;
  check(cudaMemGetInfo(&free, &all), "cudaMemGetInfo");
  throw Error(ErrorKind::kDevice, std::string(call) + " on " + name_ + ": asked for " +
                                      size_in_words(bytes) + ", " + size_in_words(free) + " of " +
                                      size_in_words(all) + " are free");
}

void Context::begin_capture() {
  // Other threads may go on calling CUDA meanwhile: snapshots wait for their copies.
  check(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeThreadLocal),
        "cudaStreamBeginCapture");
  capturing_ = true;
}

OwnedGraph Context::end_capture() {
  Owned<cudaGraph_t, &cudaGraphDestroy> graph;
  capturing_ = false;
  check(cudaStreamEndCapture(stream(), graph.out()), "cudaStreamEndCapture");
  OwnedGraph runnable;
  check(cudaGraphInstantiate(runnable.out(), graph.get(), 0), "cudaGraphInstantiate");
  return runnable;
}

void Context::abandon_capture() noexcept {
  if (!capturing_) return;
  capturing_ = false;
  Owned<cudaGraph_t, &cudaGraphDestroy> graph;
  static_cast<void>(cudaStreamEndCapture(stream(), graph.out()));
  static_cast<void>(cudaGetLastError());
}

}  // namespace traind::cuda
