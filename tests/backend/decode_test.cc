// Greedy decoding of every device against the reference, one step at a time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/backend/decode_case.h"

namespace traind {
namespace {

using reference::Row;

constexpr std::int32_t kEnd = DecodeModel::kEnd;

std::vector<Decoded> decode_plainly(const DecodeModel& model, bool attends, int max_steps) {
  std::vector<Decoded> rows(DecodeModel::kBatch);
  for (int b = 0; b < DecodeModel::kBatch; ++b) {
    Decoded& row = rows[static_cast<std::size_t>(b)];
    for (int i = 0; i < max_steps && !row.ended; ++i) {
      const Row next = next_log_probabilities(model, attends, b, row.ids);
      const auto best = std::max_element(next.begin(), next.end());
      row.log_probability += *best;
      row.ended = best - next.begin() == kEnd;
      if (!row.ended) row.ids.push_back(static_cast<std::int32_t>(best - next.begin()));
    }
  }
  return rows;
}

void expect_same(const std::vector<Decoded>& actual, const std::vector<Decoded>& expected,
                 double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t b = 0; b < expected.size(); ++b) {
    EXPECT_EQ(actual[b].ids, expected[b].ids) << b;
    EXPECT_EQ(actual[b].ended, expected[b].ended) << b;
    EXPECT_NEAR(actual[b].log_probability, expected[b].log_probability, tolerance) << b;
  }
}

TEST_P(DecodeOn, ChoosesWhatTheReferenceChoosesStepByStep) {
  const DecodeModel model = model_of();
  for (const bool attends : {false, true}) {
    SCOPED_TRACE(attends ? "with attention" : "without attention");
    const std::vector<Decoded> actual = decode(model, {attends});
    expect_same(actual, decode_plainly(model, attends, 12), 1e-4);
    for (const Decoded& row : actual) EXPECT_EQ(row.score, row.log_probability);
  }
}

// A beam of one never compares hypotheses of different lengths.
TEST_P(DecodeOn, ScoresByLengthChangeNothingOfAGreedyAnswer) {
  const DecodeModel model = model_of();
  Asked asked;
  asked.search.length_alpha = 3;
  const std::vector<Decoded> actual = decode(model, asked);
  expect_same(actual, decode_plainly(model, false, 12), 1e-4);
  for (const Decoded& row : actual) {
    const double tokens = static_cast<double>(row.ids.size()) + (row.ended ? 1 : 0);
    EXPECT_NEAR(row.score, row.log_probability / std::pow((5 + tokens) / 6, 3), 1e-9);
  }
}

TEST_P(DecodeOn, EndsByTheEndMarkOrByTheLimit) {
  DecodeModel model = model_of();
  model.bias(kEnd) = 100;
  for (const Decoded& row : decode(model, {})) {
    EXPECT_TRUE(row.ids.empty());
    EXPECT_TRUE(row.ended);
    EXPECT_NEAR(row.log_probability, 0, 1e-6);
  }
  model.bias(kEnd) = -100;
  for (const Decoded& row : decode(model, {true, 3})) {
    EXPECT_EQ(row.ids.size(), 3u);
    EXPECT_FALSE(row.ended);
  }
}

// Longer than any stretch that a device runs without being looked at; twice, since what was done
// once may be remembered.
TEST_P(DecodeOn, LongSentencesAreAsGoodAsShortOnes) {
  DecodeModel model = model_of();
  model.bias(kEnd) = -2;
  for (const bool attends : {false, true, true}) {
    expect_same(decode(model, {attends, 53}), decode_plainly(model, attends, 53), 1e-3);
  }
}

TEST_P(DecodeOn, BeginsFromTheZeroStateWhereNoOtherIsGiven) {
  DecodeModel model = model_of();
  Asked asked;
  asked.initial = false;
  const std::vector<Decoded> actual = decode(model, asked);
  model.shape.initial = false;
  expect_same(actual, decode_plainly(model, false, 12), 1e-4);
}

TEST_P(DecodeOn, NoStepsGiveNoTokens) {
  for (const Decoded& row : decode(model_of(), {true, 0})) {
    EXPECT_TRUE(row.ids.empty());
    EXPECT_FALSE(row.ended);
    EXPECT_EQ(row.log_probability, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, DecodeOn, testing::ValuesIn(decode_cases()), name_of_case);

}  // namespace
}  // namespace traind
