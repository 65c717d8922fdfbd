#include "model/nn/initialise.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "model/base/philox.h"

namespace traind {
namespace {

// sqrt(3): the variance is 1, as with torch.nn.Embedding's normal numbers, but no logarithm or
// cosine of the machine's library is in it. Two-digit addition reaches 95 % three epochs sooner
// than from bounds of 0.1: words that start out alike have to be told apart first.
constexpr float kEmbeddingBound = 1.7320508f;

// Added to the forget gate's bias, so that the state at first fades by a quarter a step and not by
// half (Jozefowicz et al., 2015, "An Empirical Exploration of Recurrent Network Architectures").
// torch.nn.LSTM does not do it. Two-digit addition gets ahead by it in the first epochs.
constexpr float kForgetBias = 1.0f;

bool has(const ParameterEntry& entry, std::string_view part) {
  return entry.name.find(part) != std::string::npos;
}

// How far from zero a tensor is drawn. LSTM and GRU: 1/sqrt(H), H of one direction, for weights and
// biases alike (torch.nn.LSTM, torch.nn.GRU). Linear: 1/sqrt(fan in) (torch.nn.Linear); the
// output's bias has the fan of `projection`, its weight. Tied, that weight is an embedding too, and
// is drawn as a projection: logits of an embedding's size would begin far above ln V.
float bound_of(const ParameterEntry& entry, const ParameterEntry& projection) {
  const auto of_fan = [](std::int64_t fan) { return 1.0f / std::sqrt(static_cast<float>(fan)); };
  if (has(entry, ".lstm.")) return of_fan(entry.shape[0] / gates_of(CellKind::kLstm));
  if (has(entry, ".gru.")) return of_fan(entry.shape[0] / gates_of(CellKind::kGru));
  if (has(entry, "output.") || entry.name == projection.name) return of_fan(projection.shape[1]);
  if (has(entry, "embedding.")) return kEmbeddingBound;
  return of_fan(entry.shape[1]);
}

// Gates lie in the order i f g o. One of the two biases is enough: they are added up.
void open_forget_gate(const ParameterEntry& entry, std::span<float> values) {
  if (!has(entry, ".lstm.bias_ih")) return;
  const std::size_t hidden = entry.size / 4;
  for (float& value : values.subspan(hidden, hidden)) value += kForgetBias;
}

}  // namespace

void draw_parameters(const std::vector<ParameterEntry>& table, std::uint64_t seed,
                     std::span<float> row) {
  std::fill(row.begin(), row.end(), 0.0f);
  const ParameterEntry& projection = projection_of(table);
  for (std::size_t index = 0; index < table.size(); ++index) {
    const ParameterEntry& entry = table[index];
    const float bound = bound_of(entry, projection);
    RandomStream random(seed, RandomUse::kInit, index);
    const std::span<float> values = row.subspan(entry.offset, entry.size);
    for (float& value : values) value = bound * (2.0f * random.uniform() - 1.0f);
    open_forget_gate(entry, values);
  }
}

}  // namespace traind
