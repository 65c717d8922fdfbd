#include "model/backend/cpu/kernels/kernels.h"

#include "model/base/error.h"

namespace traind::cpu {

bool machine_has(InstructionSet set) noexcept {
  switch (set) {
    case InstructionSet::kBest:
    case InstructionSet::kBaseline:
      return true;
#ifdef TRAIND_X86_KERNELS
    case InstructionSet::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case InstructionSet::kAvx512:
      return machine_has(InstructionSet::kAvx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512bw");
    case InstructionSet::kAvx512Bf16:
      return machine_has(InstructionSet::kAvx512) && __builtin_cpu_supports("avx512bf16");
#else
    case InstructionSet::kAvx2:
    case InstructionSet::kAvx512:
    case InstructionSet::kAvx512Bf16:
      return false;
#endif
  }
  return false;
}

const Kernels& kernels_for(InstructionSet set) {
  if (!machine_has(set)) {
    throw Error(ErrorKind::kDevice,
                "cpu: this processor lacks the instruction set that was asked for; leave the "
                "choice to the program");
  }
#ifdef TRAIND_X86_KERNELS
  if (set == InstructionSet::kAvx512Bf16) return avx512_bf16_kernels();
  const bool best = set == InstructionSet::kBest;
  if (set == InstructionSet::kAvx512 || (best && machine_has(InstructionSet::kAvx512))) {
    return avx512_kernels();
  }
  if (set == InstructionSet::kAvx2 || (best && machine_has(InstructionSet::kAvx2))) {
    return avx2_kernels();
  }
#endif
  return baseline_kernels();
}

}  // namespace traind::cpu
