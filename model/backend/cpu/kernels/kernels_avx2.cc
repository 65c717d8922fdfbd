// The kernels, compiled for avx2 (see CMakeLists.txt for the flags).
#include "model/backend/cpu/kernels/table.h"

namespace traind::cpu {

const Kernels& avx2_kernels() noexcept {
  static constexpr Kernels table = table_named<Float32>("avx2");
  return table;
}

}  // namespace traind::cpu
