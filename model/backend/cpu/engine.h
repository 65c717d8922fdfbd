// What every operation of the CPU backend works with. Owned by the backend; its thread only.
#pragma once

#include "model/backend/checks.h"
#include "model/backend/cpu/arena.h"
#include "model/backend/cpu/kernels/kernels.h"
#include "model/backend/cpu/packs.h"
#include "model/backend/cpu/team.h"
#include "model/base/error.h"

namespace traind::cpu {

struct Engine {
  Engine(int threads, InstructionSet set, bool project_words)
      : kernels(kernels_for(set)),
        by_word(project_words),
        team(threads),
        packs(team, kernels, arena) {}

  const Kernels& kernels;
  const bool by_word;  // layer 0 projects words, where they are fewer than the tokens
  Team team;
  Arena arena;
  PackCache packs;
};

// A weight [rows,cols] for x W^T (forward) and for dy W (backward).
inline PackSource forward_form(const float* weight, int rows, int cols) {
  return {weight, static_cast<std::size_t>(cols), 1, rows, rows, cols, true};
}
inline PackSource backward_form(const float* weight, int rows, int cols) {
  return {weight, static_cast<std::size_t>(cols), 1, rows, rows, cols, false};
}

}  // namespace traind::cpu
