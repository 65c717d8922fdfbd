// Which lines are held out: those with the smallest hashes.
//
// A line's hash decides, so equal lines always land on the same side, and the same lines are held
// out on every machine. Pure functions; safe on any thread.
#pragma once

#include <cstdint>
#include <vector>

namespace traind {

struct HashedLine {
  std::uint64_t hash = 0;
  std::int64_t number = 0;
};

// Whether a line of this hash belongs to the fraction; 0 = never, 1 = always.
bool is_in_fraction(std::uint64_t hash, double fraction);

// Numbers, ascending, of the lines with the smallest hashes: at most `limit` of them, 0 = all. A
// group of equal lines is taken whole; one that no longer fits is passed over.
std::vector<std::int64_t> smallest_hashes(std::vector<HashedLine> lines, std::int64_t limit);

}  // namespace traind
