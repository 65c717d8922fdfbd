// What the real Device is made of. Shared by the files of gpu/ that hold its members.
#pragma once

#include <map>

#include "model/backend/cuda/gpu/context.h"
#include "model/backend/cuda/gpu/marks.h"

namespace traind::cuda {

struct Device::Body {
  explicit Body(const DeviceOptions& options) : context(options) {}

  // Copies to and from other host memory go through a buffer of the driver's, and wait.
  bool is_shared(const void* at) const {
    const auto next = shared.upper_bound(at);
    if (next == shared.begin()) return false;
    const auto& [begin, bytes] = *std::prev(next);
    return static_cast<const char*>(at) < static_cast<const char*>(begin) + bytes;
  }

  Context context;
  Marks marks{context, context.stream(), false};
  Marks beside{context, context.beside(), true};
  std::map<const void*, std::size_t> shared;  // start and bytes
};

}  // namespace traind::cuda
