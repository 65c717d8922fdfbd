#include "model/backend/cpu/rows.h"

namespace traind::cpu {

void RowMap::lay_out(Carver& carver) {
  const auto t = static_cast<std::size_t>(steps);
  const auto b = static_cast<std::size_t>(batch);
  lengths = carver.take<std::int32_t>(b);
  place = carver.take<std::int32_t>(t * b);
  first = carver.take<std::int32_t>(t * (b + 1));
}

void RowMap::fill(std::span<const std::int32_t> true_lengths) {
  for (int b = 0; b < batch; ++b) lengths[b] = true_lengths[static_cast<std::size_t>(b)];
  total = 0;
  for (int t = 0; t < steps; ++t) {
    std::int32_t* starts = first + static_cast<std::size_t>(t) * (batch + 1);
    for (int b = 0; b < batch; ++b) {
      starts[b] = total;
      if (active(t, b)) place[total++] = t * batch + b;
    }
    starts[batch] = total;
  }
  full = total == steps * batch;
}

Range RowMap::share(const Lane& lane, int copies) const {
  const long long all = static_cast<long long>(total) * copies;
  const auto cut = [&](int index) {
    const long long wanted = all * index / lane.count();
    long long passed = 0;
    int unit = 0;
    while (unit < copies * batch && passed < wanted) passed += lengths[unit++ % batch];
    return unit;
  };
  return {cut(lane.index()), cut(lane.index() + 1)};
}

}  // namespace traind::cpu
