#include "model/backend/cuda/rnn_tape.h"

#include <algorithm>

namespace traind::cuda {

StackSize size_of(const RnnStack& stack, const Sequences& input, bool training) {
  StackSize size;
  size.cell = stack.cell;
  size.layers = stack.layers;
  size.directions = stack.directions;
  size.input = stack.input;
  size.hidden = stack.hidden;
  size.words = stack.words;
  size.steps = input.steps;
  size.batch = input.batch();
  size.ragged =
      std::ranges::any_of(input.lengths, [&](std::int32_t length) { return length < input.steps; });
  size.training = training;
  return size;
}

void StackMemory::lay_out(Carver& carver) {
  std::size_t workspace_bytes = 0;
  for (int l = 0; l < size.layers; ++l) {
    for (int d = 0; d < size.directions; ++d) {
      CellMemory& cell = cells[l * size.directions + d];
      cell.x = carver.array(type, size.places() * size.wide_of(l));
      cell.y = carver.array(type, size.places() * size.hidden);
      cell.first_h = carver.array(type, size.state());
      if (size.has_c()) {
        cell.first_c = carver.array(type, size.state());
        cell.last_c = carver.array(type, size.state());
      }
      cell.weights = carver.array(type, cell.layer->places().total);
      cell.reserve = size.training ? carver.bytes(cell.layer->reserve_bytes()) : nullptr;
      workspace_bytes = std::max(workspace_bytes, cell.layer->workspace_bytes());
    }
  }
  workspace = carver.bytes(workspace_bytes);
}

LayerForward StackMemory::call_of(const CellMemory& cell) const {
  LayerForward call;
  call.x = cell.x.data;
  call.y = cell.y.data;
  call.first_h = cell.first_h.data;
  call.first_c = cell.first_c.data;
  call.last_c = cell.last_c.data;
  call.weights = cell.weights.data;
  call.workspace = workspace;
  call.reserve = cell.reserve;
  return call;
}

LayerPlaces places_of(const Layer& layer) {
  LayerPlaces places;
  const Layer::Places& from = layer.places();
  std::ranges::copy(from.weight_ih, places.weight_ih);
  std::ranges::copy(from.weight_hh, places.weight_hh);
  std::ranges::copy(from.bias_ih, places.bias_ih);
  std::ranges::copy(from.bias_hh, places.bias_hh);
  return places;
}

}  // namespace traind::cuda
