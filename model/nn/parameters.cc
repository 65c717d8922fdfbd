#include "model/nn/parameters.h"

#include <algorithm>
#include <utility>

#include "model/base/error.h"

namespace traind {
namespace {

// 64 bytes: one cache line, one AVX-512 vector. An entry that starts on it can be read with whole
// vectors, and two threads that write neighbouring entries never share a line.
constexpr std::size_t kRowAlignment = 16;

constexpr std::size_t aligned(std::size_t floats) {
  return (floats + kRowAlignment - 1) / kRowAlignment * kRowAlignment;
}

void require(bool possible, const std::string& what, double value, const std::string& range) {
  if (possible) return;
  std::string number = std::to_string(value);
  number.erase(number.find_last_not_of('0') + 1);
  if (number.back() == '.') number.pop_back();
  throw Error(ErrorKind::kConfig, what + " = " + number + " makes no model; it must be " + range);
}

void check_shape(const ModelShape& shape) {
  const auto within = [](int value, int low, int high) { return value >= low && value <= high; };
  require(within(shape.layers, 1, 256), "model.layers", shape.layers, "1 to 256");
  require(within(shape.hidden, 1, 65536), "model.hidden", shape.hidden, "1 to 65536");
  require(!shape.bidirectional || shape.hidden % 2 == 0, "model.hidden", shape.hidden,
          "even when model.bidirectional = true, because each direction gets half of it");
  require(within(shape.embedding, 1, 65536), "model.embedding", shape.embedding, "1 to 65536");
  require(shape.dropout >= 0 && shape.dropout < 1, "model.dropout", shape.dropout,
          "at least 0 and below 1");
  const bool language = shape.kind == ModelKind::kLanguage;
  require(language || within(shape.source_words, 1, 1 << 24), "size of the source vocabulary",
          shape.source_words, "1 to 16777216");
  require(!language || shape.source_words == 0, "size of the source vocabulary", shape.source_words,
          "0 in a language model, which has no source");
  require(!language || !shape.bidirectional, "model.bidirectional", shape.bidirectional,
          "false in a language model, which has no encoder");
  require(!language || !shape.attention, "model.attention", shape.attention,
          "off in a language model, which has no encoder to look at");
  require(!shape.tied || shape.embedding == shape.hidden, "model.embedding", shape.embedding,
          "equal to model.hidden when model.tied_embeddings = true, because one table is both");
  require(within(shape.target_words, 1, 1 << 24), "size of the target vocabulary",
          shape.target_words, "1 to 16777216");
}

class TableBuilder {
 public:
  explicit TableBuilder(CellKind cell) : cell_(cell) {}

  void add(std::string name, std::vector<std::int64_t> shape) {
    std::size_t size = 1;
    for (const std::int64_t extent : shape) size *= static_cast<std::size_t>(extent);
    table_.push_back({std::move(name), std::move(shape), end_, size});
    end_ += aligned(size);
  }

  void add_rnn(const std::string& side, int layers, int directions, std::int64_t input,
               std::int64_t hidden) {
    const std::int64_t gates = gates_of(cell_) * hidden;
    for (int layer = 0; layer < layers; ++layer) {
      const std::int64_t width = layer == 0 ? input : directions * hidden;
      for (int direction = 0; direction < directions; ++direction) {
        const auto name = [&](const char* kind) {
          return rnn_parameter(side, cell_, kind, layer, direction);
        };
        add(name("weight_ih"), {gates, width});
        add(name("weight_hh"), {gates, hidden});
        add(name("bias_ih"), {gates});
        add(name("bias_hh"), {gates});
      }
    }
  }

  std::vector<ParameterEntry> take() { return std::move(table_); }

 private:
  const CellKind cell_;
  std::vector<ParameterEntry> table_;
  std::size_t end_ = 0;
};

}  // namespace

std::vector<ParameterEntry> parameter_table(const ModelShape& shape) {
  check_shape(shape);
  const int directions = shape.directions();
  const std::int64_t hidden = shape.hidden;
  TableBuilder table(shape.cell);
  if (shape.kind == ModelKind::kSeq2seq) {
    table.add("encoder.embedding.weight", {shape.source_words, shape.embedding});
    table.add_rnn("encoder", shape.layers, directions, shape.embedding, hidden / directions);
  }
  table.add("decoder.embedding.weight", {shape.target_words, shape.embedding});
  table.add_rnn("decoder", shape.layers, 1, shape.embedding, hidden);
  if (shape.attention) {
    table.add("attention.score.weight", {hidden, hidden});
    table.add("attention.combine.weight", {hidden, 2 * hidden});
  }
  if (!shape.tied) table.add("output.weight", {shape.target_words, hidden});
  table.add("output.bias", {shape.target_words});
  return table.take();
}

std::size_t row_size(const std::vector<ParameterEntry>& table) {
  return table.empty() ? 0 : table.back().offset + aligned(table.back().size);
}

const ParameterEntry& entry_named(const std::vector<ParameterEntry>& table,
                                  const std::string& name) {
  for (const ParameterEntry& entry : table) {
    if (entry.name == name) return entry;
  }
  throw Error(ErrorKind::kInternal, "the model has no parameter called " + name);
}

const ParameterEntry& projection_of(const std::vector<ParameterEntry>& table) {
  const bool tied = std::ranges::none_of(
      table, [](const ParameterEntry& entry) { return entry.name == "output.weight"; });
  return entry_named(table, tied ? "decoder.embedding.weight" : "output.weight");
}

std::string rnn_parameter(const std::string& side, CellKind cell, const char* kind, int layer,
                          int direction) {
  std::string name = side;
  name.append(cell == CellKind::kLstm ? ".lstm." : ".gru.")
      .append(kind)
      .append("_l")
      .append(std::to_string(layer));
  if (direction == 1) name.append("_reverse");
  return name;
}

}  // namespace traind
