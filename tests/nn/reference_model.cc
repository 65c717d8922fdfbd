#include "tests/nn/reference_model.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace traind {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// Column b of [steps,B], its first `length` steps.
std::vector<std::int32_t> sentence_of(const Sequences& sequences, int b) {
  const auto width = static_cast<std::size_t>(sequences.batch());
  const auto column = static_cast<std::size_t>(b);
  std::vector<std::int32_t> ids(static_cast<std::size_t>(sequences.lengths[column]));
  for (std::size_t t = 0; t < ids.size(); ++t) ids[t] = sequences.ids[t * width + column];
  return ids;
}

double log_sum_exp(const std::vector<double>& x) {
  const double highest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (const double value : x) sum += std::exp(value - highest);
  return highest + std::log(sum);
}

double kept(const DropoutKey& key, float p, std::uint64_t index) {
  const std::uint32_t draw = dropout_draws(key, index / 4).word[index % 4];
  return draw >= dropout_threshold(p) ? 1 / (1 - static_cast<double>(p)) : 0;
}

}  // namespace

ReferenceModel::ReferenceModel(const ModelShape& shape, const std::vector<ParameterEntry>& table,
                               std::span<const float> row)
    : shape_(shape), row_(row.begin(), row.end()) {
  for (const ParameterEntry& entry : table) offsets_[entry.name] = entry.offset;
}

const double* ReferenceModel::values(const std::string& name) const {
  return row_.data() + offsets_.at(name);
}

ReferenceModel::Vector ReferenceModel::multiply(const std::string& name, std::size_t rows,
                                                const Vector& x) const {
  const double* weight = values(name);
  Vector y(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < x.size(); ++j) y[i] += weight[i * x.size() + j] * x[j];
  }
  return y;
}

void ReferenceModel::cell(const std::string& side, const std::string& suffix, const Vector& x,
                          Vector& h, Vector& c) const {
  const bool lstm = shape_.cell == CellKind::kLstm;
  const std::string module = side + (lstm ? ".lstm" : ".gru");
  const std::size_t gates = (lstm ? 4 : 3) * h.size();
  Vector from_x = multiply(module + ".weight_ih" + suffix, gates, x);
  Vector from_h = multiply(module + ".weight_hh" + suffix, gates, h);
  const double* bias_ih = values(module + ".bias_ih" + suffix);
  const double* bias_hh = values(module + ".bias_hh" + suffix);
  for (std::size_t k = 0; k < gates; ++k) {
    from_x[k] += bias_ih[k];
    from_h[k] += bias_hh[k];
  }
  lstm ? lstm_cell(from_x, from_h, h, c) : gru_cell(from_x, from_h, h);
}

// The equations of torch.nn.LSTM's documentation; gates lie in the order i f g o.
void ReferenceModel::lstm_cell(const Vector& from_x, const Vector& from_h, Vector& h,
                               Vector& c) const {
  const std::size_t width = h.size();
  const auto gate = [&](std::size_t which, std::size_t j) {
    return from_x[which * width + j] + from_h[which * width + j];
  };
  for (std::size_t j = 0; j < width; ++j) {
    c[j] = sigmoid(gate(1, j)) * c[j] + sigmoid(gate(0, j)) * std::tanh(gate(2, j));
    h[j] = sigmoid(gate(3, j)) * std::tanh(c[j]);
  }
}

// Of torch.nn.GRU's; gates lie in the order r z n.
void ReferenceModel::gru_cell(const Vector& from_x, const Vector& from_h, Vector& h) const {
  const std::size_t width = h.size();
  for (std::size_t j = 0; j < width; ++j) {
    const double r = sigmoid(from_x[j] + from_h[j]);
    const double z = sigmoid(from_x[width + j] + from_h[width + j]);
    const double n = std::tanh(from_x[2 * width + j] + r * from_h[2 * width + j]);
    h[j] = (1 - z) * n + z * h[j];
  }
}

ReferenceModel::Steps ReferenceModel::recur(const std::string& side, int directions,
                                            const std::vector<std::int32_t>& ids, States& states,
                                            const Sentence& sentence) const {
  const auto embedding = static_cast<std::size_t>(shape_.embedding);
  const auto memory = static_cast<std::size_t>(shape_.hidden);
  const std::size_t width = memory / static_cast<std::size_t>(directions);
  Steps x;
  for (const std::int32_t id : ids) {
    const double* begin =
        values(side + ".embedding.weight") + static_cast<std::size_t>(id) * embedding;
    x.emplace_back(begin, begin + embedding);
  }
  for (int layer = 0; layer < shape_.layers; ++layer) {
    const auto l = static_cast<std::size_t>(layer);
    Steps y(x.size(), Vector(memory));
    for (int direction = 0; direction < directions; ++direction) {
      const auto begin = static_cast<std::ptrdiff_t>(width) * direction;
      Vector h(states.h[l].begin() + begin,
               states.h[l].begin() + begin + static_cast<std::ptrdiff_t>(width));
      Vector c(states.c[l].begin() + begin,
               states.c[l].begin() + begin + static_cast<std::ptrdiff_t>(width));
      const std::string suffix = "_l" + std::to_string(layer) + (direction == 0 ? "" : "_reverse");
      for (std::size_t i = 0; i < x.size(); ++i) {
        const std::size_t t = direction == 0 ? i : x.size() - 1 - i;
        cell(side, suffix, x[t], h, c);
        std::copy(h.begin(), h.end(), y[t].begin() + begin);
      }
      std::copy(h.begin(), h.end(), states.h[l].begin() + begin);
      std::copy(c.begin(), c.end(), states.c[l].begin() + begin);
    }
    if (sentence.dropout && layer + 1 < shape_.layers) {
      DropoutKey key = *sentence.dropout;
      key.site += static_cast<std::uint32_t>(layer);
      for (std::size_t t = 0; t < y.size(); ++t) {
        for (std::size_t j = 0; j < memory; ++j) {
          const std::size_t position = t * static_cast<std::size_t>(sentence.batch) +
                                       static_cast<std::size_t>(sentence.index);
          y[t][j] *= kept(key, shape_.dropout, position * memory + j);
        }
      }
    }
    x = y;
  }
  return x;
}

ReferenceModel::Vector ReferenceModel::attend(const Vector& h, const Steps& memory) const {
  Vector scores;
  for (const Vector& s : memory) {
    const Vector projected = multiply("attention.score.weight", s.size(), s);
    double score = 0;
    for (std::size_t j = 0; j < h.size(); ++j) score += h[j] * projected[j];
    scores.push_back(score);
  }
  const double normaliser = log_sum_exp(scores);
  Vector both(2 * h.size());
  for (std::size_t s = 0; s < memory.size(); ++s) {
    for (std::size_t j = 0; j < h.size(); ++j) {
      both[j] += std::exp(scores[s] - normaliser) * memory[s][j];
    }
  }
  std::copy(h.begin(), h.end(), both.begin() + static_cast<std::ptrdiff_t>(h.size()));
  Vector combined = multiply("attention.combine.weight", h.size(), both);
  for (double& value : combined) value = std::tanh(value);
  return combined;
}

ReferenceModel::Steps ReferenceModel::logits(const std::vector<std::int32_t>& source,
                                             const std::vector<std::int32_t>& input,
                                             const Sentence& sentence) const {
  const Steps zero(static_cast<std::size_t>(shape_.layers),
                   Vector(static_cast<std::size_t>(shape_.hidden)));
  States states{zero, zero};
  Steps memory;
  if (shape_.kind == ModelKind::kSeq2seq) {
    memory = recur("encoder", shape_.bidirectional ? 2 : 1, source, states, sentence);
  }
  Sentence decoder = sentence;
  if (decoder.dropout) decoder.dropout->site += static_cast<std::uint32_t>(shape_.layers);
  Steps hidden = recur("decoder", 1, input, states, decoder);
  Steps result;
  for (const Vector& h : hidden) {
    Vector row = multiply(shape_.tied ? "decoder.embedding.weight" : "output.weight",
                          static_cast<std::size_t>(shape_.target_words),
                          shape_.attention ? attend(h, memory) : h);
    const double* bias = values("output.bias");
    for (std::size_t v = 0; v < row.size(); ++v) row[v] += bias[v];
    result.push_back(row);
  }
  return result;
}

void ReferenceModel::visit(const SequencePair& batch, std::optional<DropoutKey> dropout,
                           const std::function<void(const Vector&, std::size_t)>& step) const {
  const bool language = shape_.kind == ModelKind::kLanguage;
  for (int b = 0; b < batch.target_out.batch(); ++b) {
    const std::vector<std::int32_t> wanted = sentence_of(batch.target_out, b);
    const std::vector<std::int32_t> source =
        language ? std::vector<std::int32_t>() : sentence_of(batch.source, b);
    const Steps rows =
        logits(source, sentence_of(batch.target_in, b), {b, batch.target_out.batch(), dropout});
    for (std::size_t t = 0; t < wanted.size(); ++t) {
      step(rows[t], static_cast<std::size_t>(wanted[t]));
    }
  }
}

LossSum ReferenceModel::loss(const SequencePair& batch, std::optional<DropoutKey> dropout) const {
  LossSum sum;
  visit(batch, dropout, [&](const Vector& row, std::size_t target) {
    sum.loss += log_sum_exp(row) - row[target];
    sum.tokens += 1;
    sum.correct += row[target] == *std::max_element(row.begin(), row.end());
  });
  return sum;
}

double ReferenceModel::smoothed_loss(const SequencePair& batch, std::optional<DropoutKey> dropout,
                                     double smoothing) const {
  double sum = 0;
  visit(batch, dropout, [&](const Vector& row, std::size_t target) {
    const double mean =
        std::accumulate(row.begin(), row.end(), 0.0) / static_cast<double>(row.size());
    sum += log_sum_exp(row) - (1 - smoothing) * row[target] - smoothing * mean;
  });
  return sum;
}

ReferenceAnswers ReferenceModel::decode(const Sequences& source, std::int32_t begin,
                                        std::int32_t end, int max_steps) const {
  ReferenceAnswers answers;
  for (int b = 0; b < source.batch(); ++b) {
    Decoded answer;
    std::vector<std::int32_t> input{begin};
    if (shape_.kind == ModelKind::kLanguage) input = sentence_of(source, b);
    while (static_cast<int>(answer.ids.size()) < max_steps) {
      Vector row = logits(sentence_of(source, b), input, {}).back();
      const auto best = std::max_element(row.begin(), row.end());
      const auto id = static_cast<std::int32_t>(best - row.begin());
      answer.log_probability += *best - log_sum_exp(row);
      std::nth_element(row.begin(), row.begin() + 1, row.end(), std::greater<>());
      answers.closest_call = std::min(answers.closest_call, row[0] - row[1]);
      if (id == end) break;
      answer.ids.push_back(id);
      input.push_back(id);
    }
    answers.rows.push_back(answer);
  }
  return answers;
}

}  // namespace traind
