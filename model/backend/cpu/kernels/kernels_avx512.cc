// The kernels, compiled for avx512 (see CMakeLists.txt for the flags).
#include "model/backend/cpu/kernels/table.h"

namespace traind::cpu {

const Kernels& avx512_kernels() noexcept {
  static constexpr Kernels table = table_named<Float32>("avx512");
  return table;
}

}  // namespace traind::cpu
