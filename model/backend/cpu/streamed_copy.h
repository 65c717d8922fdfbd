// Copies a large row past the caches: without reading first what is about to be overwritten, and
// without driving out what the next step needs. Pure; any thread.
#pragma once

#include <cstddef>

namespace traind::cpu {

// The rows must not overlap. Visible to other threads on return.
void copy_streamed(float* to, const float* from, std::size_t floats) noexcept;

}  // namespace traind::cpu
