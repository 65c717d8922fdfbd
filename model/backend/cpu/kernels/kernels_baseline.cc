// The kernels, compiled for what every machine of the architecture has.
#include "model/backend/cpu/kernels/table.h"

namespace traind::cpu {

const Kernels& baseline_kernels() noexcept {
  static constexpr Kernels table = table_named<Float32>("baseline");
  return table;
}

}  // namespace traind::cpu
