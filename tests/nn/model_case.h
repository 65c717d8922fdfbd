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
  ModelKind kind = ModelKind::kSeq2seq;
  CellKind cell = CellKind::kLstm;
  bool tied = false;

  ModelShape shape() const { return sized({.hidden = 6, .embedding = 5}, 7, 8); }
  // Of another size, which `size` gives.
  ModelShape sized(ModelShape size, int source_words, int target_words) const {
    size.layers = layers;
    if (tied) size.embedding = size.hidden;
    size.bidirectional = bidirectional;
    size.attention = attention;
    size.dropout = dropout;
    size.source_words = kind == ModelKind::kLanguage ? 0 : source_words;
    size.target_words = target_words;
    size.kind = kind;
    size.cell = cell;
    size.tied = tied;
    return size;
  }
};

inline std::string name_of(const ModelCase& model) {
  return std::string(model.kind == ModelKind::kLanguage ? "Language" : "") +
         (model.cell == CellKind::kGru ? "Gru" : "") + std::to_string(model.layers) + "Layers" +
         (model.bidirectional ? "Bidirectional" : "") + (model.attention ? "Attention" : "") +
         (model.tied ? "Tied" : "") + (model.dropout > 0 ? "Dropout" : "");
}

inline void PrintTo(const ModelCase& model, std::ostream* out) { *out << name_of(model); }

// 1 to 3 layers, with and without the second direction, attention and dropout; one layer has
// nothing that dropout could stand between. Then the other cell, the language model, and one table
// for both ends of the decoder, each alone and together.
inline std::vector<ModelCase> all_model_cases() {
  constexpr auto kSeq2seq = ModelKind::kSeq2seq;
  constexpr auto kLanguage = ModelKind::kLanguage;
  constexpr auto kLstm = CellKind::kLstm;
  constexpr auto kGru = CellKind::kGru;
  std::vector<ModelCase> cases = {{1, false, false, 0, kSeq2seq, kGru, false},
                                  {2, true, true, 0.4f, kSeq2seq, kGru, false},
                                  {3, false, true, 0, kSeq2seq, kGru, false},
                                  {1, false, false, 0, kSeq2seq, kLstm, true},
                                  {2, true, true, 0.4f, kSeq2seq, kLstm, true},
                                  {2, true, true, 0, kSeq2seq, kGru, true},
                                  {1, false, false, 0, kLanguage, kLstm, false},
                                  {2, false, false, 0.4f, kLanguage, kLstm, false},
                                  {2, false, false, 0, kLanguage, kLstm, true},
                                  {3, false, false, 0, kLanguage, kGru, false},
                                  {2, false, false, 0.4f, kLanguage, kGru, true},
                                  {1, false, false, 0, kLanguage, kGru, true}};
  for (int layers = 1; layers <= 3; ++layers) {
    for (const bool bidirectional : {false, true}) {
      for (const bool attention : {false, true}) {
        cases.push_back({layers, bidirectional, attention});
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
