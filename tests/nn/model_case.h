// The kinds of model that every claim about the whole model is checked on, and what they are
// filled with. Values; owned by the test.
#pragma once

#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "model/backend/backend.h"
#include "model/base/philox.h"
#include "model/nn/sequence_model.h"

namespace traind {

struct ModelCase {
  int layers = 1;
  bool bidirectional = false;
  bool attention = false;
  float dropout = 0;

  ModelShape shape() const { return {layers, 6, 5, bidirectional, attention, dropout, 7, 8}; }
};

inline std::string name_of(const ModelCase& model) {
  return std::to_string(model.layers) + "Layers" + (model.bidirectional ? "Bidirectional" : "") +
         (model.attention ? "Attention" : "") + (model.dropout > 0 ? "Dropout" : "");
}

inline void PrintTo(const ModelCase& model, std::ostream* out) { *out << name_of(model); }

// 1 to 3 layers, with and without the second direction, attention and dropout. One layer has
// nothing that dropout could stand between.
inline std::vector<ModelCase> all_model_cases() {
  std::vector<ModelCase> cases;
  for (int layers = 1; layers <= 3; ++layers) {
    for (const bool bidirectional : {false, true}) {
      for (const bool attention : {false, true}) {
        cases.push_back({layers, bidirectional, attention, 0});
        if (layers > 1) cases.push_back({layers, bidirectional, attention, 0.4f});
      }
    }
  }
  return cases;
}

inline std::unique_ptr<Backend> cpu_backend(int threads = 2) {
  return make_backend({"cpu", threads}).backend;
}

// Weights large enough that every gate, score and tanh is used where it bends.
inline std::vector<float> lively_row(const std::vector<ParameterEntry>& table, std::uint64_t seed) {
  std::vector<float> row(row_size(table));
  for (std::size_t i = 0; i < table.size(); ++i) {
    RandomStream random(seed, RandomUse::kSample, i);
    for (float& value : std::span(row).subspan(table[i].offset, table[i].size)) {
      value = 1.6f * random.uniform() - 0.8f;
    }
  }
  return row;
}

// The model with `row` as its weights, moments zero.
inline void fill(SequenceModel& model, std::span<const float> row) {
  const std::vector<float> zero(row.size());
  model.restore(row, zero, zero);
}

inline std::vector<float> gradients_of(const SequenceModel& model) {
  std::vector<float> gradients(row_size(model.parameters()));
  model.read_gradients(gradients);
  return gradients;
}

inline std::vector<float> weights_of(const SequenceModel& model) {
  std::vector<float> weights(row_size(model.parameters()));
  std::vector<float> moments(weights.size());
  model.save(weights, moments, moments);
  return weights;
}

}  // namespace traind
