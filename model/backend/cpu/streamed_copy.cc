#include "model/backend/cpu/streamed_copy.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace traind::cpu {

#ifdef __SSE2__

void copy_streamed(float* to, const float* from, std::size_t floats) noexcept {
  // Whole lines of the cache are written at once only from their beginning on.
  constexpr std::size_t kLine = 64;
  constexpr std::size_t kLineFloats = kLine / sizeof(float);
  constexpr std::size_t kWord = sizeof(__m128) / sizeof(float);
  const std::size_t past = reinterpret_cast<std::uintptr_t>(to) % kLine / sizeof(float);
  const std::size_t head = std::min(past == 0 ? 0 : kLineFloats - past, floats);
  std::memcpy(to, from, head * sizeof(float));
  std::size_t i = head;
  for (; i + kLineFloats <= floats; i += kLineFloats) {
    for (std::size_t word = 0; word < kLineFloats; word += kWord) {
      _mm_stream_ps(to + i + word, _mm_loadu_ps(from + i + word));
    }
  }
  _mm_sfence();
  std::memcpy(to + i, from + i, (floats - i) * sizeof(float));
}

#else

void copy_streamed(float* to, const float* from, std::size_t floats) noexcept {
  std::memcpy(to, from, floats * sizeof(float));
}

#endif

}  // namespace traind::cpu
