// Numbered points in a stream that one can wait for. put() belongs to the device's thread;
// wait_for() waits, on any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "model/backend/cuda/gpu/context.h"

namespace traind::cuda {

class Marks {
 public:
  // `sleeping`: threads that wait give their core away.
  Marks(Context& context, cudaStream_t stream, bool sleeping) : context_(context), stream_(stream) {
    const unsigned flags =
        cudaEventDisableTiming | (sleeping ? cudaEventBlockingSync : cudaEventDefault);
    for (OwnedEvent& event : events_) {
      context_.check(cudaEventCreateWithFlags(event.out(), flags), "cudaEventCreate");
    }
  }

  // 1, 2, 3 and so on.
  std::int64_t put() {
    const std::int64_t mark = last_ + 1;
    context_.check(cudaEventRecord(event_of(mark), stream_), "cudaEventRecord");
    last_ = mark;
    return mark;
  }

  // 0 is before everything. An old mark may have lent its event to a later one; what is behind the
  // later one is behind the old one too.
  void wait_for(std::int64_t mark) {
    if (mark <= reached_.load(std::memory_order_relaxed)) return;
    context_.check(cudaEventSynchronize(event_of(mark)), "cudaEventSynchronize");
    std::int64_t before = reached_.load(std::memory_order_relaxed);
    while (before < mark && !reached_.compare_exchange_weak(before, mark)) {
    }
  }

 private:
  static constexpr std::size_t kEvents = 64;
  cudaEvent_t event_of(std::int64_t mark) const {
    return events_[static_cast<std::size_t>(mark) % kEvents].get();
  }

  Context& context_;
  const cudaStream_t stream_;
  std::array<OwnedEvent, kEvents> events_;
  std::int64_t last_ = 0;
  std::atomic<std::int64_t> reached_{0};
};

}  // namespace traind::cuda
