// Drawing a token by its weight, the same on every device. Pure; host and device.
#pragma once

#include <cstdint>

#include "model/base/philox.h"

namespace traind {

// The first i whose weights up to and with it exceed draw / 2^32 of the whole (inversion of the
// distribution). weight(i), i below `words`, is at or above 0; what is no number counts as 0, and
// where nothing counts the answer is 0.
template <class Weight>
TRAIND_HOST_DEVICE std::int32_t drawn_token(std::int32_t words, const Weight& weight,
                                            std::uint32_t draw) {
  double total = 0;
  for (std::int32_t i = 0; i < words; ++i) {
    const float one = weight(i);
    if (one > 0) total += one;
  }
  const double wanted = draw * (1.0 / 4294967296.0) * total;
  double passed = 0;
  std::int32_t last = 0;
  for (std::int32_t i = 0; i < words; ++i) {
    const float one = weight(i);
    if (!(one > 0)) continue;
    passed += one;
    last = i;
    if (passed > wanted) break;
  }
  return last;
}

}  // namespace traind
