#include "model/data/split.h"

#include <algorithm>
#include <cmath>

namespace traind {

bool is_in_fraction(std::uint64_t hash, double fraction) {
  if (fraction >= 1) return true;
  return fraction > 0 && hash < static_cast<std::uint64_t>(std::ldexp(fraction, 64));
}

std::vector<std::int64_t> smallest_hashes(std::vector<HashedLine> lines, std::int64_t limit) {
  std::sort(lines.begin(), lines.end(), [](const HashedLine& a, const HashedLine& b) {
    return a.hash != b.hash ? a.hash < b.hash : a.number < b.number;
  });
  std::size_t room = limit > 0 ? static_cast<std::size_t>(limit) : lines.size();
  std::vector<std::int64_t> numbers;
  for (std::size_t begin = 0; begin < lines.size() && room > 0;) {
    std::size_t end = begin;
    while (end < lines.size() && lines[end].hash == lines[begin].hash) ++end;
    if (end - begin <= room) {
      room -= end - begin;
      for (std::size_t i = begin; i < end; ++i) numbers.push_back(lines[i].number);
    }
    begin = end;
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace traind
