// Collects the device work of one training step and runs it as one graph.
//
// Calls of the backend only record. flush() then looks at what was recorded: work never seen
// before runs as it is, the second time it is captured into a graph, and from then on replayed.
// Two rows of work are the same when every argument of every operation is the same bit for bit, so
// what changes from step to step (token ids, lengths, rates) travels through stage() instead.
//
// Owned by the backend, used by its thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "model/backend/cuda/device.h"
#include "model/backend/cuda/region.h"

namespace traind::cuda {

// Arguments are compared by their bytes, and the bytes between members have no value of their own.
// A compiler that cannot clear them sees more kinds of work than there are: that costs time only.
template <class T>
void clear_padding([[maybe_unused]] T& value) {
#if __has_builtin(__builtin_clear_padding)
  __builtin_clear_padding(&value);
#endif
}

class Recorder {
 public:
  explicit Recorder(Device& device);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  Device& device() { return device_; }
  Type type() const { return compute_type(device_.options().precision); }

  // First of all in a call of the backend: what the call stages is at most this much.
  void room_for(std::size_t bytes);
  // A copy in device memory of what `values` holds now, good for the work recorded until the next
  // flush. Its address depends only on what was staged before it since the last flush.
  template <class T>
  const T* stage(std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    return static_cast<const T*>(stage_bytes(values.data(), values.size_bytes()));
  }
  template <class T>
  const T* stage(const T& value) {
    return stage(std::span<const T>(&value, 1));
  }

  template <class Kernel>
  void launch(Kernel kernel) {
    static_assert(std::is_trivially_copyable_v<Kernel>);
    clear_padding(kernel);
    identify(Kernel::kName, &kernel, sizeof kernel);
    work_.push_back([kernel](Device& device) { device.launch(kernel); });
  }
  void multiply(Product product);
  void zero(void* at, std::size_t bytes);
  void forward(const Layer& layer, const LayerForward& call);
  void backward(const Layer& layer, const LayerForward& forward, const LayerBackward& call);

  // Device memory laid out for `wanted`, the same for the same region until it has to grow. Comes
  // before the call's first stage() and launch(): to grow, what is recorded has to run.
  template <class T>
  void lay_out(Region& region, T& wanted) {
    Carver measure;
    wanted.lay_out(measure);
    if (!region.holds(measure.used())) {
      flush();
      region.grow(measure.used());
    }
    Carver carver(region.memory());
    wanted.lay_out(carver);
  }

  // Starts everything recorded; does not wait. A point in the device's queue behind it.
  std::int64_t flush();
  // The same before memory is freed that recorded work may name. Graphs may go on naming it: one
  // is replayed only where the same work was recorded on the same addresses again. A failure is
  // kept for the next call.
  void let_go() noexcept;

  struct Statistics {
    std::int64_t run = 0;       // flushes that ran their work one by one
    std::int64_t captured = 0;  // that made a graph of it
    std::int64_t replayed = 0;  // that replayed one
  };
  const Statistics& statistics() const { return statistics_; }

 private:
  struct Known {
    bool captured = false;
    Graph graph;
  };
  // Host side of the staged bytes. Several, so that the next step can be filled while the device
  // still copies the last one's.
  struct Staging {
    char* memory = nullptr;
    std::int64_t busy_until = 0;  // a mark
  };

  const void* stage_bytes(const void* values, std::size_t bytes);
  void identify(const char* what, const void* bytes, std::size_t count);
  void identify_address(const char* what, const void* address);
  void run_all();
  void forget_graphs();

  Device& device_;
  std::vector<std::function<void(Device&)>> work_;
  std::uint64_t identity_ = 0;
  std::unordered_map<std::uint64_t, Known> known_;
  std::vector<Staging> staging_;
  std::size_t turn_ = 0;       // which of them is being filled
  std::size_t staged_ = 0;     // bytes in it
  char* on_device_ = nullptr;  // where they go
  std::size_t capacity_ = 0;   // of each
  Statistics statistics_;
};

}  // namespace traind::cuda
