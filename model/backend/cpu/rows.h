// The true steps of a batch, without the padding: row r of a compact array [rows, ...] is the
// r-th element (t, b), time-major, with t < lengths[b]. Padding then costs nothing and cannot be
// read by mistake. A value over memory from an arena; read by every lane.
#pragma once

#include <cstdint>
#include <span>

#include "model/backend/cpu/arena.h"
#include "model/backend/cpu/team.h"

namespace traind::cpu {

struct RowMap {
  int steps = 0;                    // T
  int batch = 0;                    // B
  int total = 0;                    // rows
  bool full = false;                // every sentence is T long
  std::int32_t* lengths = nullptr;  // [B]
  std::int32_t* place = nullptr;    // [rows] t*B + b
  std::int32_t* first = nullptr;    // [T,B+1] the first row at t whose sentence is b or later

  void lay_out(Carver& carver);
  void fill(std::span<const std::int32_t> true_lengths);
  bool active(int t, int b) const { return t < lengths[b]; }
  int begin(int t, int b) const { return first[static_cast<std::size_t>(t) * (batch + 1) + b]; }
  // The row of sentence b in the step after t, or before it; below 0: there is none.
  int next(int t, int b, bool after) const {
    if (!after) return t > 0 ? begin(t - 1, b) : -1;
    return t + 1 < steps && active(t + 1, b) ? begin(t + 1, b) : -1;
  }
  // Sentences [begin, end) for this lane, out of `copies` passes over the batch laid end to end,
  // so that each lane has about the same number of true steps.
  Range share(const Lane& lane, int copies) const;
};

}  // namespace traind::cpu
