#include "tests/backend/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/base/philox.h"

namespace traind::reference {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// One direction of one layer. `inputs` [T,B,width]; writes columns [column, column + H) of
// `outputs` [T,B,M] and of the states [B,M].
struct Direction {
  const RnnCase& shape;
  const double* weights;  // of the cell
  int width;
  bool reverse;
  int column;

  // to[GH] = weight x + bias
  Row sums(const double* weight, const double* x, int columns, const double* bias) const {
    Row to(bias, bias + shape.gates());
    for (int k = 0; k < shape.gates(); ++k) {
      for (int j = 0; j < columns; ++j)
        to[k] += weight[static_cast<std::size_t>(k) * columns + j] * x[j];
    }
    return to;
  }

  // h and, of an LSTM, c from one step to the next.
  void step(const double* x, double* h, double* c) const {
    const int n = shape.hidden;
    const double* hh = weights + static_cast<std::size_t>(shape.gates()) * width;
    const double* bias = hh + static_cast<std::size_t>(shape.gates()) * n;
    const Row of_x = sums(weights, x, width, bias);
    const Row of_h = sums(hh, h, n, bias + shape.gates());
    const auto gate = [&](int g, int j) { return sigmoid(of_x[g * n + j] + of_h[g * n + j]); };
    for (int j = 0; j < n; ++j) {
      if (shape.cell == CellKind::kGru) {
        const double r = gate(0, j);
        const double z = gate(1, j);
        const double candidate = std::tanh(of_x[2 * n + j] + r * of_h[2 * n + j]);
        h[j] = (1 - z) * candidate + z * h[j];
      } else {
        c[j] = gate(1, j) * c[j] + gate(0, j) * std::tanh(of_x[2 * n + j] + of_h[2 * n + j]);
        h[j] = gate(3, j) * std::tanh(c[j]);
      }
    }
  }

  void run(const Row& inputs, const Batch& batch, Row& outputs, double* h, double* c) const {
    const std::size_t m = shape.memory();
    for (int b = 0; b < shape.batch; ++b) {
      for (int i = 0; i < batch.lengths[b]; ++i) {
        const std::size_t t = reverse ? batch.lengths[b] - 1 - i : i;
        const std::size_t row = t * shape.batch + b;
        step(inputs.data() + row * width, h + b * m + column,
             c == nullptr ? nullptr : c + b * m + column);
        std::copy_n(h + b * m + column, shape.hidden, outputs.data() + row * m + column);
      }
    }
  }
};

void drop(Row& values, float probability, DropoutKey key, int layer) {
  key.site += static_cast<std::uint32_t>(layer);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool kept = dropout_draws(key, i / 4).word[i % 4] >= dropout_threshold(probability);
    values[i] = kept ? values[i] / (1 - static_cast<double>(probability)) : 0;
  }
}

}  // namespace

std::size_t RnnCase::cell_size(int layer) const {
  return static_cast<std::size_t>(gates()) * (width_of(layer) + hidden + 2);
}

std::size_t RnnCase::cell_offset(int layer, int direction) const {
  std::size_t offset = static_cast<std::size_t>(words) * input;
  for (int l = 0; l < layer; ++l) offset += directions * cell_size(l);
  return offset + direction * cell_size(layer);
}

Batch batch_of(int steps, int batch, int words, bool ragged, std::uint64_t seed) {
  RandomStream random(seed, RandomUse::kSample);
  Batch made;
  for (int i = 0; i < steps * batch; ++i) {
    made.ids.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(words))));
  }
  for (int b = 0; b < batch; ++b) {
    const int shorter = ragged ? (b * 5 + 3) % steps : 0;
    made.lengths.push_back(b == 1 ? steps : steps - shorter);
  }
  return made;
}

Row random_row(std::size_t size, std::uint64_t seed, double scale) {
  RandomStream random(seed, RandomUse::kInit);
  Row row(size);
  for (double& value : row) {
    value = static_cast<float>((2.0 * static_cast<double>(random.uniform()) - 1.0) * scale);
  }
  return row;
}

RnnResult rnn(const RnnCase& shape, const Row& parameters, const Batch& batch,
              const DropoutKey& key) {
  const std::size_t m = shape.memory();
  Row inputs;
  for (const std::int32_t id : batch.ids) {
    const double* from = parameters.data() + static_cast<std::size_t>(id) * shape.input;
    inputs.insert(inputs.end(), from, from + shape.input);
  }
  RnnResult result;
  const auto state = parameters.begin() + static_cast<std::ptrdiff_t>(shape.state_offset());
  const auto floats = static_cast<std::ptrdiff_t>(shape.state_size());
  const bool has_c = shape.states() == 2;
  result.last_h.assign(state, state + floats);
  if (has_c) result.last_c.assign(state + floats, state + 2 * floats);
  if (!shape.initial) {
    result.last_h.assign(shape.state_size(), 0);
    if (has_c) result.last_c.assign(shape.state_size(), 0);
  }
  for (int l = 0; l < shape.layers; ++l) {
    Row outputs(shape.output_size(), 0);
    for (int d = 0; d < shape.directions; ++d) {
      const Direction direction{shape, parameters.data() + shape.cell_offset(l, d),
                                shape.width_of(l), d == 1, d * shape.hidden};
      const std::size_t at = static_cast<std::size_t>(l) * shape.batch * m;
      direction.run(inputs, batch, outputs, result.last_h.data() + at,
                    has_c ? result.last_c.data() + at : nullptr);
    }
    if (l + 1 < shape.layers && shape.dropout > 0) drop(outputs, shape.dropout, key, l);
    inputs = std::move(outputs);
  }
  result.output = std::move(inputs);
  return result;
}

Row attention(const AttentionCase& shape, const Row& parameters,
              const std::vector<std::int32_t>& lengths,
              const std::vector<std::int32_t>& query_lengths) {
  const std::size_t m = shape.width;
  const double* score = parameters.data();
  const double* combine = score + m * m;
  const double* query = parameters.data() + shape.query_offset();
  const double* memory = parameters.data() + shape.memory_offset();
  Row output(shape.query_size(), 0);
  for (int b = 0; b < shape.batch; ++b) {
    for (int t = 0; t < query_lengths[b]; ++t) {
      const std::size_t place = (static_cast<std::size_t>(t) * shape.batch + b) * m;
      const double* h = query + place;
      Row share(static_cast<std::size_t>(lengths[b]), 0);
      double sum = 0;
      for (int s = 0; s < lengths[b]; ++s) {
        const double* one = memory + (static_cast<std::size_t>(s) * shape.batch + b) * m;
        for (std::size_t i = 0; i < m; ++i) {
          for (std::size_t j = 0; j < m; ++j) share[s] += h[i] * score[i * m + j] * one[j];
        }
        share[s] = std::exp(share[s]);
        sum += share[s];
      }
      Row joined(2 * m, 0);
      for (int s = 0; s < lengths[b]; ++s) {
        const double* one = memory + (static_cast<std::size_t>(s) * shape.batch + b) * m;
        for (std::size_t j = 0; j < m; ++j) joined[j] += share[s] / sum * one[j];
      }
      std::copy_n(h, m, joined.begin() + static_cast<std::ptrdiff_t>(m));
      for (std::size_t i = 0; i < m; ++i) {
        double value = 0;
        for (std::size_t j = 0; j < 2 * m; ++j) value += combine[i * 2 * m + j] * joined[j];
        output[place + i] = std::tanh(value);
      }
    }
  }
  return output;
}

LossSum loss(const LossCase& shape, const Row& parameters, const Batch& targets) {
  LossSum sum;
  for (int b = 0; b < shape.batch; ++b) {
    for (int t = 0; t < targets.lengths[b]; ++t) {
      const std::size_t place = static_cast<std::size_t>(t) * shape.batch + b;
      const double* hidden = parameters.data() + shape.hidden_offset() + place * shape.width;
      Row logits(static_cast<std::size_t>(shape.words), 0);
      double total = 0;
      for (int v = 0; v < shape.words; ++v) {
        logits[v] = parameters[shape.bias_offset() + v];
        for (int j = 0; j < shape.width; ++j) {
          logits[v] += parameters[static_cast<std::size_t>(v) * shape.width + j] * hidden[j];
        }
        total += std::exp(logits[v]);
      }
      const std::int32_t target = targets.ids[place];
      sum.loss += std::log(total) - logits[target];
      sum.tokens += 1;
      sum.correct += std::max_element(logits.begin(), logits.end()) - logits.begin() == target;
    }
  }
  return sum;
}

Row numeric_gradient(const std::function<double(const Row&)>& f, const Row& at,
                     std::size_t stride) {
  constexpr double kStep = 1e-5;
  Row gradient(at.size(), std::numeric_limits<double>::quiet_NaN());
  Row moved = at;
  for (std::size_t i = 0; i < at.size(); i += stride) {
    moved[i] = at[i] + kStep;
    const double above = f(moved);
    moved[i] = at[i] - kStep;
    const double below = f(moved);
    moved[i] = at[i];
    gradient[i] = (above - below) / (2 * kStep);
  }
  return gradient;
}

}  // namespace traind::reference
