// Which parameters a model has: name, shape and place of each in one row of floats.
//
// Pure functions of the shape; safe on any thread. The order of the table is the order of the row,
// of initialisation and of a checkpoint, and is the same on every device: never reorder it.
// Names and shapes are those of torch.nn modules called encoder.embedding, encoder.lstm,
// decoder.embedding, decoder.lstm, attention.score, attention.combine and output; a GRU's are
// encoder.gru and decoder.gru.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/backend/choices.h"

namespace traind {

// kLanguage has no encoder and no attention: the decoder alone, from a zero state.
enum class ModelKind { kSeq2seq, kLanguage };

struct ModelShape {
  int layers = 2;
  int hidden = 512;            // H, width of memory and decoder; even when bidirectional
  int embedding = 512;         // I
  bool bidirectional = false;  // two directions of H/2
  bool attention = false;
  float dropout = 0;
  int source_words = 0;  // Vs, marks included; 0 with kLanguage
  int target_words = 0;  // Vt
  ModelKind kind = ModelKind::kSeq2seq;
  CellKind cell = CellKind::kLstm;
  bool tied = false;  // the output's weight is decoder.embedding.weight; needs embedding = hidden
  int directions() const { return bidirectional ? 2 : 1; }
};

struct ParameterEntry {
  std::string name;
  std::vector<std::int64_t> shape;
  std::size_t offset = 0;  // floats from the start of the row; a multiple of 16
  std::size_t size = 0;    // floats
};

// Every parameter in the fixed order of the row. Throws Error(kConfig) on an impossible shape.
std::vector<ParameterEntry> parameter_table(const ModelShape& shape);
// Floats in the row, padding between entries included (padding is 0 and stays 0).
std::size_t row_size(const std::vector<ParameterEntry>& table);
// Throws Error(kInternal) when there is no entry of that name.
const ParameterEntry& entry_named(const std::vector<ParameterEntry>& table,
                                  const std::string& name);

// The entry that holds the projection to the target's words: "output.weight", or tied the
// decoder's embedding.
const ParameterEntry& projection_of(const std::vector<ParameterEntry>& table);

// A parameter of a recurrence: side is "encoder" or "decoder", kind "weight_ih", "weight_hh",
// "bias_ih" or "bias_hh", direction 1 the reverse one. "encoder.lstm.weight_ih_l0_reverse".
std::string rnn_parameter(const std::string& side, CellKind cell, const char* kind, int layer,
                          int direction);

}  // namespace traind
