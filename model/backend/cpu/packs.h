// Weights rearranged for the kernels, kept until the weights change.
//
// Owned by the backend, used on its thread; packing itself uses the team. A pack is found by the
// address and form of its weight, so whatever changes weights must call changed().
#pragma once

#include <cstddef>
#include <vector>

#include "model/backend/cpu/arena.h"
#include "model/backend/cpu/kernels/kernels.h"
#include "model/backend/cpu/team.h"

namespace traind::cpu {

class PackCache {
 public:
  PackCache(Team& team, const Kernels& kernels, Arena& arena)
      : team_(team), kernels_(kernels), arena_(arena) {}

  // Packed panels of the weight as it is now; valid until the weight changes.
  const void* packed(const PackSource& source);
  // The floats at [begin, begin + count) have new values.
  void changed(const float* begin, std::size_t count);
  // They are about to be freed.
  void forget(const float* begin, std::size_t count);

 private:
  struct Entry {
    PackSource source;
    Lease memory;
    bool fresh = false;
  };
  Entry& entry_for(const PackSource& source);

  Team& team_;
  const Kernels& kernels_;
  Arena& arena_;
  std::vector<Entry> entries_;
};

}  // namespace traind::cpu
