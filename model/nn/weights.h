// The parts of one row of device memory under the names by which the backend's calls want them.
//
// Views only: valid as long as the row. The same function makes the view of the parameters and
// that of their gradients, so the two cannot disagree.
#pragma once

#include <vector>

#include "model/backend/backend.h"
#include "model/nn/parameters.h"

namespace traind {

struct ModelWeights {
  RnnStack encoder;  // without cells in a language model
  RnnStack decoder;
  AttentionWeights attention;  // null without attention
  OutputWeights output;
};

// `row` holds row_size(table) floats; `table` is parameter_table(shape).
ModelWeights view_weights(const ModelShape& shape, const std::vector<ParameterEntry>& table,
                          Tensor row);

}  // namespace traind
