// The kernels, compiled for avx512 with products of bfloat16 (see CMakeLists.txt for the flags).
#include "model/backend/cpu/kernels/bfloat16.h"
#include "model/backend/cpu/kernels/table.h"

namespace traind::cpu {

const Kernels& avx512_bf16_kernels() noexcept {
  static constexpr Kernels table = table_named<BFloat16>("avx512, bf16");
  return table;
}

}  // namespace traind::cpu
