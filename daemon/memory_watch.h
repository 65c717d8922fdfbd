// Says when the process uses much more memory than when it started, whatever the machine has.
//
// gRPC 1.51 buffers without bound what a caller makes it say and does not read, and every call that
// is reset before it is served (CVE-2023-44487); its quota counts neither. One thread.
#pragma once

#include <chrono>
#include <cstddef>

#include "daemon/descriptor.h"

namespace traind {

class MemoryWatch {
 public:
  using Clock = std::chrono::steady_clock;
  // `more`: bytes above what is in use now.
  explicit MemoryWatch(std::size_t more);

  // Whether more than the bound is in use. Memory that is free, but still ours, goes back to the
  // system instead, now and then.
  bool short_of_memory(Clock::time_point now);

 private:
  std::size_t resident_bytes() const;

  // Open all the time: what makes memory short can make descriptors short.
  const Descriptor statm_;
  const std::size_t most_;  // bytes
  Clock::time_point trimmed_{};
};

}  // namespace traind
