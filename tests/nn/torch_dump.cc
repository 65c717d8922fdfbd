// Writes models, a ragged batch for each, our loss and our gradients for tests/nn/torch_check.py:
//   torch_dump FOLDER
// Per model two files in the format of a checkpoint: NAME.weights.safetensors, whose metadata holds
// the shape, the batch and the loss, and NAME.gradients.safetensors.

#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include "model/base/files.h"
#include "model/checkpoint/codec.h"
#include "tests/nn/model_case.h"
#include "tests/nn/toy_batch.h"

namespace traind {
namespace {

// Of the gradients; the loss is told without it.
constexpr float kSmoothing = 0.1f;

std::string text_of(std::span<const std::int32_t> numbers) {
  std::string text;
  for (const std::int32_t number : numbers)
    text += (text.empty() ? "" : " ") + std::to_string(number);
  return text;
}

void write_rows(const std::string& path, const std::vector<ParameterEntry>& table,
                std::span<const float> row, const Metadata& metadata) {
  CheckpointView view{metadata, {}};
  for (const ParameterEntry& entry : table) {
    view.tensors.push_back({entry.name, entry.shape, row.subspan(entry.offset, entry.size)});
  }
  std::string bytes = encode_header(view);
  for (const TensorView& tensor : view.tensors) {
    bytes.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size_bytes());
  }
  write_durably(posix_files(), path, bytes);
}

Metadata describe(const ModelShape& shape, const ToyBatch& batch, double mean_loss) {
  char loss[40];
  std::snprintf(loss, sizeof loss, "%.17g", mean_loss);
  char smoothing[40];
  std::snprintf(smoothing, sizeof smoothing, "%.17g", static_cast<double>(kSmoothing));
  return {{"layers", std::to_string(shape.layers)},
          {"hidden", std::to_string(shape.hidden)},
          {"embedding", std::to_string(shape.embedding)},
          {"directions", std::to_string(shape.directions())},
          {"attention", shape.attention ? "1" : "0"},
          {"language", shape.kind == ModelKind::kLanguage ? "1" : "0"},
          {"gru", shape.cell == CellKind::kGru ? "1" : "0"},
          {"tied", shape.tied ? "1" : "0"},
          {"smoothing", smoothing},
          {"source_words", std::to_string(shape.source_words)},
          {"target_words", std::to_string(shape.target_words)},
          {"source", text_of(batch.source)},
          {"source_lengths", text_of(batch.source_lengths)},
          {"target_in", text_of(batch.target_in)},
          {"target_out", text_of(batch.target_out)},
          {"target_lengths", text_of(batch.target_lengths)},
          {"loss", loss}};
}

void dump(const ModelCase& kind, const std::string& folder) {
  const ModelShape shape = kind.sized({.hidden = 24, .embedding = 10}, 17, 19);
  const std::unique_ptr<Backend> backend = cpu_backend();
  SequenceModel model(*backend, shape);
  const std::vector<float> row = lively_row(model.parameters(), 21);
  fill(model, row);
  const ToyBatch batch = toy_batch(shape, {6, 9, 7}, 4);
  model.forward_backward(batch.pair(), {1, 1, 0, kSmoothing});
  const std::vector<float> gradients = gradients_of(model);
  model.update({}, 1, 0);
  const LossSum sum = model.take_result().loss;
  const std::string stem = folder + "/" + name_of(kind);
  write_rows(stem + ".weights.safetensors", model.parameters(), row,
             describe(shape, batch, sum.loss / static_cast<double>(sum.tokens)));
  write_rows(stem + ".gradients.safetensors", model.parameters(), gradients, {});
}

}  // namespace
}  // namespace traind

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: torch_dump FOLDER\n");
    return 2;
  }
  try {
    for (const traind::ModelCase& kind : traind::all_model_cases()) {
      if (kind.dropout == 0) traind::dump(kind, argv[1]);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "torch_dump: %s\n", error.what());
    return 1;
  }
  return 0;
}
