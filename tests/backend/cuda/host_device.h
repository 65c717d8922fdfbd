// What the device in host memory was asked to do, over all such devices of the process.
// See host_device.cc. Tests run one after another, so nothing here is guarded.
#pragma once

#include <cstdint>

namespace traind::cuda {

struct HostCounts {
  std::int64_t queued = 0;  // operations put in the queue; a graph is one
  std::int64_t graphs_made = 0;
  std::int64_t graphs_replayed = 0;
};
HostCounts host_counts();

}  // namespace traind::cuda
