// Names, shapes and places of the parameters, and what they are filled with at first.

#include "model/nn/parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "model/base/error.h"
#include "model/nn/initialise.h"

namespace traind {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> described(const ModelShape& shape) {
  std::vector<std::string> lines;
  for (const ParameterEntry& entry : parameter_table(shape)) {
    std::string line = entry.name;
    for (const std::int64_t extent : entry.shape) line += " " + std::to_string(extent);
    lines.push_back(line);
  }
  return lines;
}

ModelShape language_shape(int embedding) {
  ModelShape shape{1, 8, embedding, false, false, 0, 0, 13};
  shape.kind = ModelKind::kLanguage;
  return shape;
}

ModelShape full_shape() { return {2, 8, 5, true, true, 0.1f, 11, 13}; }

TEST(Parameters, AreNamedAndShapedAsTorchDoes) {
  EXPECT_THAT(
      described(full_shape()),
      ElementsAre("encoder.embedding.weight 11 5",  //
                  "encoder.lstm.weight_ih_l0 16 5", "encoder.lstm.weight_hh_l0 16 4",
                  "encoder.lstm.bias_ih_l0 16", "encoder.lstm.bias_hh_l0 16",
                  "encoder.lstm.weight_ih_l0_reverse 16 5",
                  "encoder.lstm.weight_hh_l0_reverse 16 4", "encoder.lstm.bias_ih_l0_reverse 16",
                  "encoder.lstm.bias_hh_l0_reverse 16",  //
                  "encoder.lstm.weight_ih_l1 16 8", "encoder.lstm.weight_hh_l1 16 4",
                  "encoder.lstm.bias_ih_l1 16", "encoder.lstm.bias_hh_l1 16",
                  "encoder.lstm.weight_ih_l1_reverse 16 8",
                  "encoder.lstm.weight_hh_l1_reverse 16 4", "encoder.lstm.bias_ih_l1_reverse 16",
                  "encoder.lstm.bias_hh_l1_reverse 16",  //
                  "decoder.embedding.weight 13 5",       //
                  "decoder.lstm.weight_ih_l0 32 5", "decoder.lstm.weight_hh_l0 32 8",
                  "decoder.lstm.bias_ih_l0 32", "decoder.lstm.bias_hh_l0 32",
                  "decoder.lstm.weight_ih_l1 32 8", "decoder.lstm.weight_hh_l1 32 8",
                  "decoder.lstm.bias_ih_l1 32", "decoder.lstm.bias_hh_l1 32",
                  "attention.score.weight 8 8", "attention.combine.weight 8 16",
                  "output.weight 13 8", "output.bias 13"));
}

TEST(Parameters, OfAPlainModelLeaveOutReverseAndAttention) {
  EXPECT_THAT(described({1, 8, 5, false, false, 0, 11, 13}),
              ElementsAre("encoder.embedding.weight 11 5", "encoder.lstm.weight_ih_l0 32 5",
                          "encoder.lstm.weight_hh_l0 32 8", "encoder.lstm.bias_ih_l0 32",
                          "encoder.lstm.bias_hh_l0 32", "decoder.embedding.weight 13 5",
                          "decoder.lstm.weight_ih_l0 32 5", "decoder.lstm.weight_hh_l0 32 8",
                          "decoder.lstm.bias_ih_l0 32", "decoder.lstm.bias_hh_l0 32",
                          "output.weight 13 8", "output.bias 13"));
}

TEST(Parameters, OfAGruAreThoseOfTorchsGru) {
  ModelShape shape{1, 8, 5, false, false, 0, 11, 13};
  shape.cell = CellKind::kGru;
  EXPECT_THAT(described(shape),
              ElementsAre("encoder.embedding.weight 11 5", "encoder.gru.weight_ih_l0 24 5",
                          "encoder.gru.weight_hh_l0 24 8", "encoder.gru.bias_ih_l0 24",
                          "encoder.gru.bias_hh_l0 24", "decoder.embedding.weight 13 5",
                          "decoder.gru.weight_ih_l0 24 5", "decoder.gru.weight_hh_l0 24 8",
                          "decoder.gru.bias_ih_l0 24", "decoder.gru.bias_hh_l0 24",
                          "output.weight 13 8", "output.bias 13"));
}

TEST(Parameters, OfALanguageModelAreTheDecoderAndTheOutput) {
  EXPECT_THAT(described(language_shape(5)),
              ElementsAre("decoder.embedding.weight 13 5", "decoder.lstm.weight_ih_l0 32 5",
                          "decoder.lstm.weight_hh_l0 32 8", "decoder.lstm.bias_ih_l0 32",
                          "decoder.lstm.bias_hh_l0 32", "output.weight 13 8", "output.bias 13"));
}

TEST(Parameters, TiedHaveOneTableForBothEndsOfTheDecoder) {
  ModelShape shape = language_shape(8);
  const std::vector<std::string> apart = described(shape);
  EXPECT_EQ(projection_of(parameter_table(shape)).name, "output.weight");
  shape.tied = true;
  std::vector<std::string> tied = described(shape);
  EXPECT_EQ(projection_of(parameter_table(shape)).name, "decoder.embedding.weight");
  tied.insert(tied.end() - 1, "output.weight 13 8");
  EXPECT_EQ(tied, apart);
}

TEST(Parameters, FollowOneAnotherOnCacheLines) {
  const std::vector<ParameterEntry> table = parameter_table(full_shape());
  std::size_t end = 0;
  for (const ParameterEntry& entry : table) {
    EXPECT_EQ(entry.offset % 16, 0u) << entry.name;
    EXPECT_GE(entry.offset, end) << entry.name;
    EXPECT_LT(entry.offset - end, 16u) << entry.name;
    end = entry.offset + entry.size;
  }
  EXPECT_EQ(row_size(table) % 16, 0u);
  EXPECT_GE(row_size(table), end);
}

struct ImpossibleShape {
  ModelShape shape;
  const char* reason;
};

ModelShape changed(ModelShape shape, const std::function<void(ModelShape&)>& change) {
  change(shape);
  return shape;
}

TEST(Parameters, OfAnImpossibleShapeAreRefusedWithTheReason) {
  const std::vector<ImpossibleShape> impossible = {
      {{0, 8, 5, false, false, 0, 11, 13}, "model.layers = 0 makes no model; it must be 1 to 256"},
      {{1, 0, 5, false, false, 0, 11, 13}, "model.hidden = 0"},
      {{1, 7, 5, true, false, 0, 11, 13}, "model.hidden = 7 makes no model; it must be even"},
      {{1, 8, -5, false, false, 0, 11, 13}, "model.embedding = -5"},
      {{1, 8, 5, false, false, 1, 11, 13}, "model.dropout = 1 makes no model"},
      {{1, 8, 5, false, false, -0.5f, 11, 13}, "model.dropout = -0.5"},
      {{1, 8, 5, false, false, NAN, 11, 13}, "model.dropout = nan"},
      {{1, 8, 5, false, false, 0, 0, 13}, "source vocabulary = 0"},
      {{1, 8, 5, false, false, 0, 11, 0}, "target vocabulary = 0"},
      {changed(language_shape(5), [](ModelShape& shape) { shape.source_words = 7; }),
       "source vocabulary = 7 makes no model; it must be 0 in a language model"},
      {changed(language_shape(5), [](ModelShape& shape) { shape.bidirectional = true; }),
       "model.bidirectional = 1 makes no model; it must be false in a language model"},
      {changed(language_shape(5), [](ModelShape& shape) { shape.attention = true; }),
       "model.attention = 1 makes no model; it must be off in a language model"},
      {changed(full_shape(), [](ModelShape& shape) { shape.tied = true; }),
       "model.embedding = 5 makes no model; it must be equal to model.hidden"},
  };
  for (const ImpossibleShape& of : impossible) {
    try {
      parameter_table(of.shape);
      ADD_FAILURE() << "accepted: " << of.reason;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kConfig);
      EXPECT_THAT(error.what(), HasSubstr(of.reason));
    }
  }
}

TEST(Parameters, StartFromTheSeedAlone) {
  const std::vector<ParameterEntry> table = parameter_table(full_shape());
  std::vector<float> first(row_size(table), 7);
  std::vector<float> again(row_size(table));
  std::vector<float> other(row_size(table));
  draw_parameters(table, 1, first);
  draw_parameters(table, 1, again);
  draw_parameters(table, 2, other);
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
}

TEST(Parameters, StartWithTheForgetGateOpen) {
  const std::vector<ParameterEntry> table = parameter_table(full_shape());
  std::vector<float> row(row_size(table));
  draw_parameters(table, 1, row);
  const ParameterEntry& bias = entry_named(table, "decoder.lstm.bias_ih_l0");
  for (std::size_t i = 0; i < bias.size; ++i) {
    const bool forget = i / 8 == 1;
    EXPECT_NEAR(row[bias.offset + i], forget ? 1 : 0, 1 / std::sqrt(8.0)) << i;
  }
}

// The largest number that each parameter starts with.
std::map<std::string, float> first_bounds(const ModelShape& shape) {
  const std::vector<ParameterEntry> table = parameter_table(shape);
  std::vector<float> row(row_size(table));
  draw_parameters(table, 1, row);
  std::map<std::string, float> bounds;
  for (const ParameterEntry& entry : table) {
    float& bound = bounds[entry.name];
    for (std::size_t i = 0; i < entry.size; ++i) {
      bound = std::max(bound, std::abs(row[entry.offset + i]));
    }
  }
  return bounds;
}

TEST(Parameters, StartWithinTheirBounds) {
  const std::map<std::string, float> bounds = first_bounds({2, 64, 48, true, true, 0, 50, 60});
  const auto largest = [&](const std::string& name) { return bounds.at(name); };
  // The largest of n uniform numbers lies within a few n-ths of the bound.
  EXPECT_NEAR(largest("encoder.lstm.weight_hh_l0"), 1 / std::sqrt(32.0), 1e-3);
  EXPECT_NEAR(largest("encoder.lstm.weight_ih_l1_reverse"), 1 / std::sqrt(32.0), 1e-3);
  EXPECT_NEAR(largest("decoder.lstm.weight_ih_l0"), 1 / std::sqrt(64.0), 1e-3);
  EXPECT_NEAR(largest("attention.score.weight"), 1 / std::sqrt(64.0), 1e-3);
  EXPECT_NEAR(largest("attention.combine.weight"), 1 / std::sqrt(128.0), 1e-3);
  EXPECT_NEAR(largest("output.weight"), 1 / std::sqrt(64.0), 1e-3);
  EXPECT_NEAR(largest("output.bias"), 1 / std::sqrt(64.0), 1e-2);
  EXPECT_NEAR(largest("decoder.lstm.bias_hh_l1"), 1 / std::sqrt(64.0), 1e-2);
  EXPECT_NEAR(largest("decoder.lstm.bias_ih_l1"), 1 + 1 / std::sqrt(64.0), 1e-2);
  EXPECT_NEAR(largest("encoder.embedding.weight"), std::sqrt(3.0), 1e-2);
}

TEST(Parameters, OfAGruStartWithinTheBoundOfItsWidth) {
  ModelShape shape{2, 64, 48, true, false, 0, 50, 60};
  shape.cell = CellKind::kGru;
  const std::map<std::string, float> bounds = first_bounds(shape);
  EXPECT_NEAR(bounds.at("encoder.gru.weight_hh_l1_reverse"), 1 / std::sqrt(32.0), 1e-3);
  EXPECT_NEAR(bounds.at("decoder.gru.weight_ih_l0"), 1 / std::sqrt(64.0), 1e-3);
  EXPECT_NEAR(bounds.at("decoder.gru.bias_ih_l0"), 1 / std::sqrt(64.0), 1e-2);
}

TEST(Parameters, TiedStartAsAProjection) {
  ModelShape shape{1, 64, 64, false, true, 0, 50, 60};
  shape.tied = true;
  const std::map<std::string, float> bounds = first_bounds(shape);
  EXPECT_NEAR(bounds.at("encoder.embedding.weight"), std::sqrt(3.0), 1e-2);
  EXPECT_NEAR(bounds.at("decoder.embedding.weight"), 1 / std::sqrt(64.0), 1e-3);
  EXPECT_NEAR(bounds.at("output.bias"), 1 / std::sqrt(64.0), 1e-2);
}

}  // namespace
}  // namespace traind
