// A model as the tensors of a checkpoint, and back.
//
// Functions on the model's thread; putting values in waits for the device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/checkpoint/codec.h"
#include "model/nn/sequence_model.h"

namespace traind {

// Bytes of one checkpoint of such a model, header left out: weights and moments.
std::uint64_t checkpoint_bytes(const ModelShape& shape, Optimizer optimizer);

// The rows of a checkpoint as its tensors: weights under their own names, then the moments under
// "optim.first." and "optim.second." (which SGD has none of), then "optim.loss_scale" where the
// device needs one.
struct CheckpointTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  int row = 0;             // 0 weights, then the moments, then the loss scale
  std::size_t offset = 0;  // in its row
  std::size_t size = 0;
};
std::vector<CheckpointTensor> checkpoint_tensors(const SequenceModel& model);
// Floats in all rows, one behind the other, as SequenceModel::snapshot() gives them.
std::size_t checkpoint_floats(const SequenceModel& model);

// Puts a checkpoint's tensors into the model. A run may move between devices and precisions: a
// loss scale that is not there begins anew, one that the device does not need is left out. Throws
// Error(kCorrupt) when another tensor is missing or has another shape.
void restore_model(const CheckpointContent& content, SequenceModel& model);

// What parts a checkpoint's weights from a model of this shape: the first tensor that has another
// shape there, is missing, or has no place here, in words. Empty when they fit.
std::string weights_misfit(const CheckpointContent& content, const ModelShape& shape);

// The weights alone; moments are zero, as of a model that has not taken a step. They must fit.
void restore_weights(const CheckpointContent& content, SequenceModel& model);

}  // namespace traind
