// The device of model/backend/cuda/device.h in host memory, for machines without a GPU. It stands
// in for CUDA, cuBLAS and cuDNN, which need one; the kernels are the real ones.
//
// As on a GPU nothing happens when it is called: work waits in a queue until somebody waits for
// it. Code that reads a result too early, or fills memory that is still to be copied, fails here
// as it would there.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/backend/cuda/device.h"
#include "model/backend/cuda/kernels/all.h"
#include "tests/backend/cuda/host_device.h"
#include "tests/backend/cuda/host_layer.h"

namespace traind::cuda {
namespace {

using Work = std::function<void()>;

HostCounts counts;

// What a new allocation holds: nothing that looks like a number.
constexpr int kGarbage = 0xFF;

void multiply_now(const Product& p) {
  for (std::int32_t i = 0; i < p.count; ++i) {
    const auto at = [i](const Array& array, std::int64_t stride) {
      return array.part(static_cast<std::size_t>(i * stride));
    };
    const Array a = at(p.a, p.a_stride);
    const Array b = at(p.b, p.b_stride);
    const Array c = at(p.c, p.c_stride);
    for (std::size_t row = 0; row < static_cast<std::size_t>(p.m); ++row) {
      for (std::size_t column = 0; column < static_cast<std::size_t>(p.n); ++column) {
        float sum = 0;
        for (std::size_t k = 0; k < static_cast<std::size_t>(p.k); ++k) {
          sum += a.get(p.a_transposed != 0 ? k * p.lda + row : row * p.lda + k) *
                 b.get(p.b_transposed != 0 ? column * p.ldb + k : k * p.ldb + column);
        }
        const std::size_t to = row * p.ldc + column;
        c.set(to, p.accumulate != 0 ? c.get(to) + sum : sum);
      }
    }
  }
}

}  // namespace

HostCounts host_counts() { return counts; }

struct Device::Body {
  DeviceOptions options;
  std::deque<Work> queue;
  std::int64_t queued = 0;  // works ever put in the queue
  std::int64_t done = 0;
  std::vector<Work>* kept = nullptr;  // while a graph is made
  std::map<void*, std::size_t> shared;

  void add(Work work) {
    if (kept != nullptr) {
      kept->push_back(std::move(work));
      return;
    }
    queue.push_back(std::move(work));
    ++queued;
    ++counts.queued;
  }
  void run_until(std::int64_t mark) {
    while (done < mark) {
      const Work work = std::move(queue.front());
      queue.pop_front();
      ++done;
      work();
    }
  }
  bool is_shared(const void* at) const {
    const char* const place = static_cast<const char*>(at);
    return std::ranges::any_of(shared, [&](const auto& one) {
      const char* const begin = static_cast<const char*>(one.first);
      return place >= begin && place < begin + one.second;
    });
  }
};

Device::Device(const DeviceOptions& options) : body_(std::make_unique<Body>()) {
  body_->options = options;
}
Device::~Device() = default;

const DeviceOptions& Device::options() const { return body_->options; }
DeviceInfo Device::info() const {
  DeviceInfo info;
  info.kind = "cuda";
  info.name = "host memory in place of a GPU";
  info.step_multiple = 8;
  info.loss_scale = body_->options.precision == Precision::kFp16;
  return info;
}

void* Device::allocate(std::size_t bytes) {
  void* const memory = std::aligned_alloc(256, (bytes + 256) / 256 * 256);
  std::memset(memory, kGarbage, bytes);
  return memory;
}
void Device::release(void* memory) noexcept {
  wait();
  std::free(memory);
}
void* Device::allocate_shared(std::size_t bytes) {
  void* const memory = allocate(bytes);
  body_->shared[memory] = bytes;
  return memory;
}
void Device::release_shared(void* memory) noexcept {
  wait();
  body_->shared.erase(memory);
  std::free(memory);
}

void Device::copy_in(void* to, const void* from, std::size_t bytes) {
  body_->add([=] { std::memcpy(to, from, bytes); });
  if (!body_->is_shared(from)) wait();
}
void Device::copy_out(void* to, const void* from, std::size_t bytes) {
  body_->add([=] { std::memcpy(to, from, bytes); });
  if (!body_->is_shared(to)) wait();
}
void Device::copy(void* to, const void* from, std::size_t bytes) {
  body_->add([=] { std::memcpy(to, from, bytes); });
}
void Device::zero(void* at, std::size_t bytes) {
  body_->add([=] { std::memset(at, 0, bytes); });
}

template <class Kernel>
void Device::launch(const Kernel& kernel) {
  body_->add([kernel] {
    for (std::size_t item = 0; item < kernel.count(); ++item) {
      if constexpr (Kernel::kOneThread) {
        kernel(item);
      } else {
        kernel(Alone(), item);
      }
    }
  });
}
#define TRAIND_INSTANTIATE(Kernel) template void Device::launch<Kernel>(const Kernel&);
TRAIND_CUDA_KERNELS(TRAIND_INSTANTIATE)
#undef TRAIND_INSTANTIATE

void Device::multiply(const Product& product) {
  body_->add([product] { multiply_now(product); });
}

struct Layer::Body {
  HostLayer layer;
  std::string choice = {};  // there is none
};
Layer::Layer(Device& device, const LayerShape& shape)
    : body_(std::make_unique<Body>(
          Body{HostLayer(shape, compute_type(device.options().precision))})) {}
Layer::~Layer() = default;
const Layer::Places& Layer::places() const { return body_->layer.places(); }
std::size_t Layer::workspace_bytes() const { return 64; }
std::size_t Layer::reserve_bytes() const { return body_->layer.reserve_bytes(); }
const std::string& Layer::choice() const { return body_->choice; }

void Device::forward(const Layer& layer, const LayerForward& call) {
  const HostLayer* const host = &layer.body_->layer;
  body_->add([host, call] { host->forward(call); });
}
void Device::backward(const Layer& layer, const LayerForward& forward, const LayerBackward& call) {
  const HostLayer* const host = &layer.body_->layer;
  body_->add([host, forward, call] { host->backward(forward, call); });
}

struct Graph::Body {
  std::vector<Work> work;
};
Graph::Graph() = default;
Graph::~Graph() = default;
Graph::Graph(Graph&&) noexcept = default;
Graph& Graph::operator=(Graph&&) noexcept = default;

void Device::begin_graph() { body_->kept = new std::vector<Work>; }
Graph Device::end_graph() {
  Graph graph;
  graph.body_ = std::make_unique<Graph::Body>();
  graph.body_->work = std::move(*body_->kept);
  ++counts.graphs_made;
  delete std::exchange(body_->kept, nullptr);
  return graph;
}
void Device::replay(Graph& graph) {
  body_->add([work = graph.body_->work] {
    for (const Work& one : work) one();
  });
  ++counts.graphs_replayed;
}

std::int64_t Device::mark() { return body_->queued; }
void Device::wait_for(std::int64_t mark) { body_->run_until(mark); }
void Device::wait() { body_->run_until(body_->queued); }

// The queue belongs to one thread, so there is no "beside" here.
std::int64_t Device::copy_out_beside(void* to, const void* from, std::size_t bytes) {
  wait();
  std::memcpy(to, from, bytes);
  return 0;
}
void Device::wait_beside(std::int64_t) {}

}  // namespace traind::cuda
