// Levenshtein distance: insertions, deletions and replacements, one each. A pure function; memory
// is one row of the shorter input. Safe on any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace traind {

// For anything with size() and operator[] whose elements compare with ==.
template <typename Sequence>
std::size_t edit_distance(const Sequence& a, const Sequence& b) {
  if (a.size() < b.size()) return edit_distance(b, a);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row[b.size()];
}

}  // namespace traind
