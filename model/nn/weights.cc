#include "model/nn/weights.h"

#include <string>

namespace traind {
namespace {

struct RowView {
  const std::vector<ParameterEntry>& table;
  Tensor row;

  Tensor operator()(const std::string& name) const {
    const ParameterEntry& entry = entry_named(table, name);
    return row.part(entry.offset, entry.size);
  }
};

RnnStack view_stack(const RowView& view, const ModelShape& shape, const std::string& side,
                    int directions, int words) {
  RnnStack stack;
  stack.cell = shape.cell;
  stack.layers = shape.layers;
  stack.directions = directions;
  stack.input = shape.embedding;
  stack.hidden = shape.hidden / directions;
  stack.words = words;
  stack.embedding = view(side + ".embedding.weight");
  for (int layer = 0; layer < shape.layers; ++layer) {
    for (int direction = 0; direction < directions; ++direction) {
      const auto part = [&](const char* kind) {
        return view(rnn_parameter(side, shape.cell, kind, layer, direction));
      };
      stack.cells.push_back(
          {part("weight_ih"), part("weight_hh"), part("bias_ih"), part("bias_hh")});
    }
  }
  return stack;
}

}  // namespace

ModelWeights view_weights(const ModelShape& shape, const std::vector<ParameterEntry>& table,
                          Tensor row) {
  const RowView view{table, row};
  ModelWeights weights;
  if (shape.kind == ModelKind::kSeq2seq) {
    weights.encoder = view_stack(view, shape, "encoder", shape.directions(), shape.source_words);
  }
  weights.decoder = view_stack(view, shape, "decoder", 1, shape.target_words);
  if (shape.attention) {
    weights.attention = {view("attention.score.weight"), view("attention.combine.weight")};
  }
  weights.output = {view(projection_of(table).name), view("output.bias")};
  return weights;
}

}  // namespace traind
