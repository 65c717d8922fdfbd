#include "model/train/model_checkpoint.h"

#include <algorithm>
#include <array>

#include "model/base/error.h"

namespace traind {
namespace {

constexpr const char* kOptimizer = "optim.";
constexpr const char* kLossScale = "optim.loss_scale";
constexpr std::size_t kScaleFloats = 2;

const CheckpointContent::Tensor* find_tensor(const CheckpointContent& content,
                                             const std::string& name) {
  const auto found = std::ranges::find(content.tensors, name, &CheckpointContent::Tensor::name);
  return found == content.tensors.end() ? nullptr : &*found;
}

void copy_into(const CheckpointContent::Tensor& tensor, std::vector<float>& row,
               std::size_t offset) {
  std::ranges::copy(tensor.values, row.begin() + static_cast<std::ptrdiff_t>(offset));
}

// "[512, 256]"
std::string in_words(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

}  // namespace

std::uint64_t checkpoint_bytes(const ModelShape& shape, Optimizer optimizer) {
  std::uint64_t floats = 0;
  for (const ParameterEntry& entry : parameter_table(shape)) floats += entry.size;
  const std::uint64_t rows = optimizer == Optimizer::kSgd ? 2 : 3;
  return floats * rows * sizeof(float);
}

std::vector<CheckpointTensor> checkpoint_tensors(const SequenceModel& model) {
  constexpr std::array kPrefix = {"", "optim.first.", "optim.second."};
  std::vector<CheckpointTensor> tensors;
  const int rows = 1 + model.moments();
  for (int row = 0; row < rows; ++row) {
    for (const ParameterEntry& entry : model.parameters()) {
      tensors.push_back({kPrefix[static_cast<std::size_t>(row)] + entry.name, entry.shape, row,
                         entry.offset, entry.size});
    }
  }
  if (model.device().loss_scale) {
    tensors.push_back({kLossScale, {kScaleFloats}, rows, 0, kScaleFloats});
  }
  return tensors;
}

std::size_t checkpoint_floats(const SequenceModel& model) {
  const std::size_t rows = 1 + static_cast<std::size_t>(model.moments());
  return rows * row_size(model.parameters()) + (model.device().loss_scale ? kScaleFloats : 0);
}

void restore_model(const CheckpointContent& content, SequenceModel& model) {
  std::array<std::vector<float>, 3> rows;
  for (std::vector<float>& row : rows) row.assign(row_size(model.parameters()), 0.0f);
  std::vector<float> scale = {LossScale::kFirst, 0};
  const bool scaled = find_tensor(content, kLossScale) != nullptr;
  for (const CheckpointTensor& slot : checkpoint_tensors(model)) {
    const bool is_scale = slot.name == kLossScale;
    if (is_scale && !scaled) continue;
    const CheckpointContent::Tensor& tensor = content.tensor(slot.name);
    if (tensor.shape != slot.shape) {
      throw Error(ErrorKind::kCorrupt, "the checkpoint's tensor " + slot.name +
                                           " has another shape than the run file's model");
    }
    copy_into(tensor, is_scale ? scale : rows[static_cast<std::size_t>(slot.row)], slot.offset);
  }
  model.restore(rows[0], rows[1], rows[2]);
  if (model.device().loss_scale) model.restore_loss_scale(scale);
}

std::string weights_misfit(const CheckpointContent& content, const ModelShape& shape) {
  const std::vector<ParameterEntry> table = parameter_table(shape);
  for (const ParameterEntry& entry : table) {
    const CheckpointContent::Tensor* tensor = find_tensor(content, entry.name);
    if (tensor == nullptr) {
      return "it has no tensor " + entry.name + ", which is " + in_words(entry.shape) + " here";
    }
    if (tensor->shape == entry.shape) continue;
    return "its tensor " + entry.name + " is " + in_words(tensor->shape) + " and would be " +
           in_words(entry.shape) + " here";
  }
  for (const CheckpointContent::Tensor& tensor : content.tensors) {
    if (tensor.name.starts_with(kOptimizer)) continue;
    if (std::ranges::find(table, tensor.name, &ParameterEntry::name) != table.end()) continue;
    return "its tensor " + tensor.name + ", " + in_words(tensor.shape) + ", has no place here";
  }
  return {};
}

void restore_weights(const CheckpointContent& content, SequenceModel& model) {
  std::vector<float> weights(row_size(model.parameters()));
  for (const ParameterEntry& entry : model.parameters()) {
    copy_into(content.tensor(entry.name), weights, entry.offset);
  }
  const std::vector<float> zero(weights.size());
  model.restore(weights, zero, zero);
}

}  // namespace traind
