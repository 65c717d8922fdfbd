// The kernels on a GPU: one thread for each item, or one block of threads as the group of an item.
// The only file that nvcc compiles; the bodies are in kernels/.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "model/backend/cuda/gpu/body.h"
#include "model/backend/cuda/kernels/all.h"

namespace traind::cuda {
namespace {

constexpr int kThreads = 256;       // of a block, where threads are alone
constexpr int kGroupThreads = 128;  // of a group
constexpr int kWarp = 32;
constexpr int kGroupWarps = kGroupThreads / kWarp;
constexpr unsigned kAllLanes = 0xFFFFFFFFu;

// A block of kGroupThreads as a group. Warps first reduce among themselves, by halves, then every
// thread reduces the warps' results in their order: equal bits every time and on every thread.
// The second barrier keeps a fast warp from writing the next result over one still being read.
class Block {
 public:
  __device__ int rank() const { return static_cast<int>(threadIdx.x); }
  __device__ int size() const { return kGroupThreads; }
  __device__ float sum(float value) const { return total(value); }
  __device__ double sum(double value) const { return total(value); }

  __device__ Highest highest(Highest value) const {
    for (int step = kWarp / 2; step > 0; step /= 2) {
      const float other = __shfl_down_sync(kAllLanes, value.value, step);
      const std::int32_t at = __shfl_down_sync(kAllLanes, value.at, step);
      value.offer(other, at);
    }
    __shared__ float values[kGroupWarps];
    __shared__ std::int32_t places[kGroupWarps];
    if (rank() % kWarp == 0) {
      values[rank() / kWarp] = value.value;
      places[rank() / kWarp] = value.at;
    }
    __syncthreads();
    Highest all;
    for (int warp = 0; warp < kGroupWarps; ++warp) all.offer(values[warp], places[warp]);
    __syncthreads();
    return all;
  }

 private:
  template <class Number>
  __device__ Number total(Number value) const {
    for (int step = kWarp / 2; step > 0; step /= 2) {
      value += __shfl_down_sync(kAllLanes, value, step);
    }
    __shared__ Number sums[kGroupWarps];
    if (rank() % kWarp == 0) sums[rank() / kWarp] = value;
    __syncthreads();
    Number all = 0;
    for (int warp = 0; warp < kGroupWarps; ++warp) all += sums[warp];
    __syncthreads();
    return all;
  }
};

template <class Kernel>
__global__ void __launch_bounds__(kThreads) each_thread(const Kernel kernel, std::size_t count) {
  const std::size_t stride = std::size_t{gridDim.x} * kThreads;
  for (std::size_t item = std::size_t{blockIdx.x} * kThreads + threadIdx.x; item < count;
       item += stride) {
    kernel(item);
  }
}

template <class Kernel>
__global__ void __launch_bounds__(kGroupThreads)
    each_group(const Kernel kernel, std::size_t count) {
  for (std::size_t item = blockIdx.x; item < count; item += gridDim.x) kernel(Block(), item);
}

// What fills a processor of the device several times over; threads go on to further items.
constexpr std::size_t kBlocksOfProcessor = 32;

}  // namespace

template <class Kernel>
void Device::launch(const Kernel& kernel) {
  Context& context = body_->context;
  context.expect_alive();
  std::size_t count = kernel.count();
  if (count == 0) return;
  const std::size_t most = kBlocksOfProcessor * static_cast<std::size_t>(context.processors());
  void* arguments[] = {const_cast<Kernel*>(&kernel), &count};
  const auto shape = [&] { return " [" + std::to_string(count) + " items]"; };
  if constexpr (Kernel::kOneThread) {
    const std::size_t blocks = (count + kThreads - 1) / kThreads;
    const dim3 grid(static_cast<unsigned>(std::min(blocks, most)));
    context.check(cudaLaunchKernel(&each_thread<Kernel>, grid, dim3(kThreads), arguments, 0,
                                   context.stream()),
                  Kernel::kName, shape);
  } else {
    const dim3 grid(static_cast<unsigned>(std::min(count, most)));
    context.check(cudaLaunchKernel(&each_group<Kernel>, grid, dim3(kGroupThreads), arguments, 0,
                                   context.stream()),
                  Kernel::kName, shape);
  }
}
#define TRAIND_INSTANTIATE(Kernel) template void Device::launch<Kernel>(const Kernel&);
TRAIND_CUDA_KERNELS(TRAIND_INSTANTIATE)
#undef TRAIND_INSTANTIATE

}  // namespace traind::cuda
