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

RnnStack view_stack(const RowView& view, const std::string& side, int layers, int directions,
                    int input, int hidden, int words) {
  RnnStack stack;
  stack.layers = layers;
  stack.directions = directions;
  stack.input = input;
  stack.hidden = hidden;
  stack.words = words;
  stack.embedding = view(side + ".embedding.weight");
  for (int layer = 0; layer < layers; ++layer) {
    for (int direction = 0; direction < directions; ++direction) {
      const auto part = [&](const char* kind) {
        return view(rnn_parameter(side, kind, layer, direction));
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
  const int directions = shape.directions();
  ModelWeights weights;
  weights.encoder = view_stack(view, "encoder", shape.layers, directions, shape.embedding,
                               shape.hidden / directions, shape.source_words);
  weights.decoder = view_stack(view, "decoder", shape.layers, 1, shape.embedding, shape.hidden,
                               shape.target_words);
  if (shape.attention) {
    weights.attention = {view("attention.score.weight"), view("attention.combine.weight")};
  }
  weights.output = {view("output.weight"), view("output.bias")};
  return weights;
}

}  // namespace traind
