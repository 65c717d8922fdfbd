// What lies between the layers of a stack on the device: inputs with their padding marked, masks,
// states, weights in and out of a layer's own layout. How padding is kept out is told in rnn.h.
// Shapes as in model/backend/backend.h.
//
// A flipped layer reads each sentence from its true end to its beginning, so that both directions
// run forwards. Places past a sentence's end stay where they are.
#pragma once

#include "model/backend/cuda/kernels/group.h"

namespace traind::cuda {

TRAIND_HOST_DEVICE inline std::int32_t flipped_step(std::int32_t t, std::int32_t length,
                                                    std::int32_t flip) {
  return flip != 0 && t < length ? length - 1 - t : t;
}

// 0 when the element is dropped, else 1 / (1 - p).
TRAIND_HOST_DEVICE inline float kept(const DropoutKey& key, std::uint64_t element, float p) {
  const PhiloxBlock draws = dropout_draws(key, element / 4);
  return draws.word[element % 4] >= dropout_threshold(p) ? 1.0f / (1.0f - p) : 0.0f;
}

// x[t,b,:] of the lowest layer: a row of the embedding; then, where the layer is wider, a mark
// that is 1 in the padding.
struct EmbeddedInput {
  static constexpr const char* kName = "embedded_input";
  static constexpr bool kOneThread = true;
  const float* embedding = nullptr;                        // [V,I]
  const std::int32_t* ids = nullptr;                       // [T,B]
  const std::int32_t* lengths = nullptr;                   // [B]
  Array x;                                                 // [T,B,I'], written
  std::int32_t steps = 0, batch = 0, width = 0, wide = 0;  // T, B, I, I'
  std::int32_t flip = 0, unused = 0;

  std::size_t count() const { return static_cast<std::size_t>(steps) * batch * wide; }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const auto j = static_cast<std::int32_t>(item % wide);
    const std::size_t place = item / wide;
    const auto b = static_cast<std::int32_t>(place % batch);
    const auto t = static_cast<std::int32_t>(place / batch);
    const bool inside = t < lengths[b];
    float value = 0;
    if (j == width && !inside) value = 1;
    if (j < width && inside) {
      const std::size_t from =
          static_cast<std::size_t>(flipped_step(t, lengths[b], flip)) * batch + b;
      value = embedding[static_cast<std::size_t>(ids[from]) * width + j];
    }
    x.set(item, value);
  }
};

// x[t,b,:] of a higher layer: the outputs below, side by side, after dropout; then the mark.
struct StackedInput {
  static constexpr const char* kName = "stacked_input";
  static constexpr bool kOneThread = true;
  Array below[2];                         // [T,B,H] of each direction, the second one flipped
  const std::int32_t* lengths = nullptr;  // [B]
  const DropoutKey* key = nullptr;        // null = no dropout
  Array x;                                // [T,B,I'], written
  std::int32_t steps = 0, batch = 0, hidden = 0, directions = 0, wide = 0;
  std::int32_t flip = 0;
  float dropout = 0;
  std::uint32_t site = 0;  // added to that of the key

  std::size_t count() const { return static_cast<std::size_t>(steps) * batch * wide; }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const std::int32_t memory = directions * hidden;
    const auto j = static_cast<std::int32_t>(item % wide);
    const std::size_t place = item / wide;
    const auto b = static_cast<std::int32_t>(place % batch);
    const auto t = static_cast<std::int32_t>(place / batch);
    const bool inside = t < lengths[b];
    float value = 0;
    if (j == memory && !inside) value = 1;
    if (j < memory && inside) {
      const std::int32_t time = flipped_step(t, lengths[b], flip);
      const std::int32_t d = j / hidden;
      const std::size_t from =
          static_cast<std::size_t>(flipped_step(time, lengths[b], d)) * batch + b;
      value = below[d].get(from * hidden + (j - d * hidden));
      if (key != nullptr) {
        const DropoutKey mine{key->seed, key->step, key->site + site};
        const std::uint64_t element = (static_cast<std::uint64_t>(time) * batch + b) * memory + j;
        value *= kept(mine, element, dropout);
      }
    }
    x.set(item, value);
  }
};

// output[t,b,:] of the stack, from its highest layer.
struct StackOutput {
  static constexpr const char* kName = "stack_output";
  static constexpr bool kOneThread = true;
  Array top[2];                           // [T,B,H]
  const std::int32_t* lengths = nullptr;  // [B]
  float* output = nullptr;                // [T,B,M], written
  std::int32_t steps = 0, batch = 0, hidden = 0, directions = 0;

  std::size_t count() const {
    return static_cast<std::size_t>(steps) * batch * directions * hidden;
  }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const std::int32_t memory = directions * hidden;
    const auto j = static_cast<std::int32_t>(item % memory);
    const std::size_t place = item / memory;
    const auto b = static_cast<std::int32_t>(place % batch);
    const auto t = static_cast<std::int32_t>(place / batch);
    float value = 0;
    if (t < lengths[b]) {
      const std::int32_t d = j / hidden;
      const std::size_t from = static_cast<std::size_t>(flipped_step(t, lengths[b], d)) * batch + b;
      value = top[d].get(from * hidden + (j - d * hidden));
    }
    output[item] = value;
  }
};

// One direction of one layer's state, out of a row of floats [B,M] into the compute type.
struct StateIn {
  static constexpr const char* kName = "state_in";
  static constexpr bool kOneThread = true;
  const float* state = nullptr;  // [B,M] at the direction's first column; null = zero
  Array to;                      // [B,H], written
  std::int32_t batch = 0, hidden = 0, memory = 0, unused = 0;

  std::size_t count() const { return static_cast<std::size_t>(batch) * hidden; }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const std::size_t b = item / hidden;
    to.set(item, state == nullptr ? 0 : state[b * memory + item % hidden]);
  }
};

// And back.
struct StateOut {
  static constexpr const char* kName = "state_out";
  static constexpr bool kOneThread = true;
  Array from;              // [B,H]
  float* state = nullptr;  // [B,M] at the direction's first column, written
  std::int32_t batch = 0, hidden = 0, memory = 0, unused = 0;

  std::size_t count() const { return static_cast<std::size_t>(batch) * hidden; }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const std::size_t b = item / hidden;
    state[b * memory + item % hidden] = from.get(item);
  }
};

// The output at each sentence's true end, as a state.
struct LastOutput {
  static constexpr const char* kName = "last_output";
  static constexpr bool kOneThread = true;
  Array y;                                // [T,B,H]
  const std::int32_t* lengths = nullptr;  // [B]
  float* state = nullptr;                 // [B,M] at the direction's first column, written
  std::int32_t batch = 0, hidden = 0, memory = 0, unused = 0;

  std::size_t count() const { return static_cast<std::size_t>(batch) * hidden; }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const std::size_t b = item / hidden;
    const std::size_t j = item % hidden;
    const std::size_t from = (static_cast<std::size_t>(lengths[b]) - 1) * batch + b;
    state[b * memory + j] = y.get(from * hidden + j);
  }
};

// Gradient of one direction's outputs: from what the stack gave out or, below the top, from the
// inputs of the layer above; and at the true end from the state that was handed on.
struct OutputGradient {
  static constexpr const char* kName = "output_gradient";
  static constexpr bool kOneThread = true;
  const float* d_output = nullptr;  // [T,B,M] of the stack's output; null = not the top, or zero
  Array above[2];                   // [T,B,I'] of the layer above's inputs, by direction, or null
  const float* d_last_h = nullptr;  // [B,M] at the direction's first column; null = zero
  const std::int32_t* lengths = nullptr;  // [B]
  const DropoutKey* key = nullptr;        // between here and above; null = none
  Array d_y;                              // [T,B,H], written
  std::int32_t steps = 0, batch = 0, hidden = 0, directions = 0, wide = 0;  // wide: I' above
  std::int32_t direction = 0;
  float dropout = 0;
  std::uint32_t site = 0;

  std::size_t count() const { return static_cast<std::size_t>(steps) * batch * hidden; }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const std::int32_t memory = directions * hidden;
    const auto i = static_cast<std::int32_t>(item % hidden);
    const std::size_t place = item / hidden;
    const auto b = static_cast<std::int32_t>(place % batch);
    const auto t = static_cast<std::int32_t>(place / batch);
    float value = 0;
    if (t < lengths[b]) {
      const std::int32_t time = flipped_step(t, lengths[b], direction);
      const std::int32_t j = direction * hidden + i;
      const std::uint64_t element = (static_cast<std::uint64_t>(time) * batch + b) * memory + j;
      if (d_output != nullptr) value += d_output[element];
      float from_above = 0;
      for (std::int32_t d = 0; d < 2; ++d) {
        if (!above[d]) continue;
        const std::size_t from =
            static_cast<std::size_t>(flipped_step(time, lengths[b], d)) * batch + b;
        from_above += above[d].get(from * wide + j);
      }
      if (key != nullptr) {
        const DropoutKey mine{key->seed, key->step, key->site + site};
        from_above *= kept(mine, element, dropout);
      }
      value += from_above;
      if (d_last_h != nullptr && t == lengths[b] - 1) {
        value += d_last_h[static_cast<std::size_t>(b) * memory + i];
      }
    }
    d_y.set(item, value);
  }
};

// Gradients of embedding rows. Equal tokens are brought together on the host (token_pieces.h) in
// pieces of a few places each, so that sums have one order and no atomic is needed.
struct EmbeddingPieces {
  static constexpr const char* kName = "embedding_pieces";
  static constexpr bool kOneThread = true;
  Array d_x[2];                          // [T,B,I'] of each direction, the second one flipped
  const std::int32_t* places = nullptr;  // [T*B] those of one token side by side
  const std::int32_t* starts = nullptr;  // [pieces+1] into places
  const std::int32_t* pieces = nullptr;  // how many there are
  const std::int32_t* lengths = nullptr;
  float* sums = nullptr;  // [most,I], written for the pieces there are
  std::int32_t most = 0, batch = 0, width = 0, wide = 0;

  std::size_t count() const { return static_cast<std::size_t>(most) * width; }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const auto piece = static_cast<std::int32_t>(item / width);
    if (piece >= *pieces) return;
    const std::size_t j = item % width;
    float sum = 0;
    for (std::int32_t i = starts[piece]; i < starts[piece + 1]; ++i) {
      const std::int32_t b = places[i] % batch;
      const std::int32_t t = places[i] / batch;
      sum += d_x[0].get(static_cast<std::size_t>(places[i]) * wide + j);
      if (d_x[1]) {
        const std::size_t from =
            static_cast<std::size_t>(flipped_step(t, lengths[b], 1)) * batch + b;
        sum += d_x[1].get(from * wide + j);
      }
    }
    sums[item] = sum;
  }
};

struct EmbeddingGradient {
  static constexpr const char* kName = "embedding_gradient";
  static constexpr bool kOneThread = true;
  const float* sums = nullptr;           // [pieces,I]
  const std::int32_t* firsts = nullptr;  // [words+1] the first piece of each word that occurs
  const std::int32_t* ids = nullptr;     // [words]
  const std::int32_t* words = nullptr;   // how many occur
  float* gradient = nullptr;             // [V,I], +=
  std::int32_t most = 0, width = 0;

  std::size_t count() const { return static_cast<std::size_t>(most) * width; }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const auto word = static_cast<std::int32_t>(item / width);
    if (word >= *words) return;
    const std::size_t j = item % width;
    float sum = 0;
    for (std::int32_t i = firsts[word]; i < firsts[word + 1]; ++i) {
      sum += sums[static_cast<std::size_t>(i) * width + j];
    }
    gradient[static_cast<std::size_t>(ids[word]) * width + j] += sum;
  }
};

// The parameters of one direction of one layer, gate by gate.
struct LayerPlaces {
  std::size_t weight_ih[4], weight_hh[4], bias_ih[4], bias_hh[4];  // elements from the start
};

// How far an LSTM's gate is pushed in the padding: input gate to 0, forget gate to 1, both exactly.
constexpr float kGateClosed = 1000;

// Canonical float32 weights into a layer's own layout. Columns of W_ih past I, which only an LSTM
// has, serve the mark.
struct WeightsIn {
  static constexpr const char* kName = "weights_in";
  static constexpr bool kOneThread = true;
  const float* weight_ih = nullptr;  // [GH,I]
  const float* weight_hh = nullptr;  // [GH,H]
  const float* bias_ih = nullptr;    // [GH]
  const float* bias_hh = nullptr;    // [GH]
  Array to;                          // the layer's weights, written
  LayerPlaces places = {};
  std::int32_t gates = 0, hidden = 0, width = 0, wide = 0;  // G, H, I, I'

  std::size_t count() const {
    return static_cast<std::size_t>(gates) * static_cast<std::size_t>(hidden) *
           (static_cast<std::size_t>(wide) + hidden + 2);
  }
  // Each gate is a run of H rows of I' + H + 2 columns: W_ih, W_hh and the biases side by side.
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const std::size_t h = hidden;
    const std::size_t columns = static_cast<std::size_t>(wide) + h + 2;
    const std::size_t row = item / columns;
    const std::size_t column = item % columns;
    const std::size_t gate = row / h;
    const std::size_t in_gate = row % h;
    const std::size_t w = wide;
    if (column < w) {
      float value = 0;
      if (column < static_cast<std::size_t>(width)) value = weight_ih[row * width + column];
      if (column == static_cast<std::size_t>(width) && gate < 2) {
        value = gate == 0 ? -kGateClosed : kGateClosed;
      }
      to.set(places.weight_ih[gate] + in_gate * w + column, value);
    } else if (column < w + h) {
      to.set(places.weight_hh[gate] + in_gate * h + column - w, weight_hh[row * h + column - w]);
    } else if (column == w + h) {
      to.set(places.bias_ih[gate] + in_gate, bias_ih[row]);
    } else {
      to.set(places.bias_hh[gate] + in_gate, bias_hh[row]);
    }
  }
};

// The gradients of such weights, added to the canonical ones; those of the mark are dropped.
struct WeightGradientsOut {
  static constexpr const char* kName = "weight_gradients_out";
  static constexpr bool kOneThread = true;
  Array from;
  float* weight_ih = nullptr;  // [GH,I], +=
  float* weight_hh = nullptr;  // [GH,H], +=
  float* bias_ih = nullptr;    // [GH], +=
  float* bias_hh = nullptr;    // [GH], +=
  LayerPlaces places = {};
  std::int32_t gates = 0, hidden = 0, width = 0, wide = 0;

  std::size_t count() const {
    return static_cast<std::size_t>(gates) * static_cast<std::size_t>(hidden) *
           (static_cast<std::size_t>(width) + hidden + 2);
  }
  TRAIND_HOST_DEVICE void operator()(std::size_t item) const {
    const std::size_t h = hidden;
    const std::size_t w = width;
    const std::size_t columns = w + h + 2;
    const std::size_t row = item / columns;
    const std::size_t column = item % columns;
    const std::size_t gate = row / h;
    const std::size_t in_gate = row % h;
    if (column < w) {
      weight_ih[row * w + column] += from.get(places.weight_ih[gate] + in_gate * wide + column);
    } else if (column < w + h) {
      weight_hh[row * h + column - w] +=
          from.get(places.weight_hh[gate] + in_gate * h + column - w);
    } else if (column == w + h) {
      bias_ih[row] += from.get(places.bias_ih[gate] + in_gate);
    } else {
      bias_hh[row] += from.get(places.bias_hh[gate] + in_gate);
    }
  }
};

}  // namespace traind::cuda
