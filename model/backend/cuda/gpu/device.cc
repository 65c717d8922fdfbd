#include <algorithm>

#include "model/backend/cuda/gpu/body.h"
#include "model/base/error.h"

namespace traind::cuda {
namespace {

auto bytes_in_words(std::size_t bytes) {
  return [bytes] { return " [" + size_in_words(bytes) + "]"; };
}

}  // namespace

struct Graph::Body {
  OwnedGraph graph;
};

Graph::Graph() = default;
Graph::~Graph() = default;
Graph::Graph(Graph&&) noexcept = default;
Graph& Graph::operator=(Graph&&) noexcept = default;

Device::Device(const DeviceOptions& options) : body_(std::make_unique<Body>(options)) {}

Device::~Device() {
  static_cast<void>(cudaStreamSynchronize(body_->context.stream()));
  static_cast<void>(cudaStreamSynchronize(body_->context.beside()));
}

const DeviceOptions& Device::options() const { return body_->context.options(); }

DeviceInfo Device::info() const {
  DeviceInfo info;
  info.kind = "cuda";
  info.name = body_->context.name();
  info.step_multiple = 8;
  info.loss_scale = options().precision == Precision::kFp16;
  info.identity = body_->context.identity();
  return info;
}

void* Device::allocate(std::size_t bytes) {
  body_->context.expect_alive();
  return body_->context.allocate(bytes);
}

void Device::release(void* memory) noexcept {
  if (memory == nullptr) return;
  static_cast<void>(cudaStreamSynchronize(body_->context.stream()));
  static_cast<void>(cudaStreamSynchronize(body_->context.beside()));
  static_cast<void>(cudaFree(memory));
}

void* Device::allocate_shared(std::size_t bytes) {
  Context& context = body_->context;
  context.expect_alive();
  void* memory = nullptr;
  const std::size_t wanted = std::max<std::size_t>(bytes, 1);
  const cudaError_t status =
      cudaHostAlloc(&memory, wanted, cudaHostAllocMapped | cudaHostAllocPortable);
  if (status == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    throw Error(ErrorKind::kDevice, "cudaHostAlloc on " + context.name() + ": the machine has no " +
                                        size_in_words(wanted) + " to lock for the device");
  }
  context.check(status, "cudaHostAlloc", bytes_in_words(wanted));
  body_->shared[memory] = wanted;
  return memory;
}

void Device::release_shared(void* memory) noexcept {
  if (memory == nullptr) return;
  static_cast<void>(cudaStreamSynchronize(body_->context.stream()));
  static_cast<void>(cudaStreamSynchronize(body_->context.beside()));
  body_->shared.erase(memory);
  static_cast<void>(cudaFreeHost(memory));
}

void Device::copy_in(void* to, const void* from, std::size_t bytes) {
  Context& context = body_->context;
  context.expect_alive();
  context.check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, context.stream()),
                "cudaMemcpyAsync to the device", bytes_in_words(bytes));
  if (!body_->is_shared(from)) wait();
}

void Device::copy_out(void* to, const void* from, std::size_t bytes) {
  Context& context = body_->context;
  context.expect_alive();
  context.check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, context.stream()),
                "cudaMemcpyAsync to the host", bytes_in_words(bytes));
  if (!body_->is_shared(to)) wait();
}

void Device::copy(void* to, const void* from, std::size_t bytes) {
  Context& context = body_->context;
  context.expect_alive();
  context.check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, context.stream()),
                "cudaMemcpyAsync within the device", bytes_in_words(bytes));
}

void Device::zero(void* at, std::size_t bytes) {
  Context& context = body_->context;
  context.expect_alive();
  context.check(cudaMemsetAsync(at, 0, bytes, context.stream()), "cudaMemsetAsync",
                bytes_in_words(bytes));
}

void Device::begin_graph() {
  body_->context.expect_alive();
  body_->context.begin_capture();
}

Graph Device::end_graph() {
  Graph graph;
  graph.body_ = std::make_unique<Graph::Body>();
  graph.body_->graph = body_->context.end_capture();
  return graph;
}

void Device::replay(Graph& graph) {
  Context& context = body_->context;
  context.expect_alive();
  context.check(cudaGraphLaunch(graph.body_->graph.get(), context.stream()), "cudaGraphLaunch");
}

std::int64_t Device::mark() {
  body_->context.expect_alive();
  return body_->marks.put();
}

void Device::wait_for(std::int64_t mark) {
  body_->context.expect_alive();
  body_->marks.wait_for(mark);
}

void Device::wait() {
  Context& context = body_->context;
  context.expect_alive();
  context.check(cudaStreamSynchronize(context.stream()), "cudaStreamSynchronize");
}

std::int64_t Device::copy_out_beside(void* to, const void* from, std::size_t bytes) {
  Context& context = body_->context;
  context.expect_alive();
  OwnedEvent queued;
  context.check(cudaEventCreateWithFlags(queued.out(), cudaEventDisableTiming), "cudaEventCreate");
  context.check(cudaEventRecord(queued.get(), context.stream()), "cudaEventRecord");
  context.check(cudaStreamWaitEvent(context.beside(), queued.get(), 0), "cudaStreamWaitEvent");
  context.check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, context.beside()),
                "cudaMemcpyAsync beside", bytes_in_words(bytes));
  return body_->beside.put();
}

void Device::wait_beside(std::int64_t mark) {
  Context& context = body_->context;
  context.expect_alive();
  context.enter();
  body_->beside.wait_for(mark);
}

}  // namespace traind::cuda
