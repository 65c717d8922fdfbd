// The CPU as a device: always there. Its results are bit-equal for any number of threads: each sum
// runs in one order, set by the shapes alone. They differ in the last bits between instruction
// sets, whose vectors differ in length. The caller owns the backend and uses it from one thread;
// every call has done its work when it returns. Throws Error(kDevice).
#pragma once

#include <memory>

#include "model/backend/backend.h"
#include "model/backend/cpu/kernels/kernels.h"

namespace traind::cpu {

struct CpuOptions {
  int threads = 0;  // 0 = one per core the process may use
  InstructionSet instruction_set = InstructionSet::kBest;
  // Project each word of the vocabulary once where words are fewer than tokens. The same sums in
  // another order; off only to be measured against what projects every token.
  bool project_words = true;
};

// Throws Error(kDevice) when the machine lacks the instruction set.
std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options);

}  // namespace traind::cpu
