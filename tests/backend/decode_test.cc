// Greedy decoding of every device against the reference, one step at a time.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/backend/device_case.h"
#include "tests/backend/device_rnn.h"

namespace traind {
namespace {

using reference::Row;

constexpr int kWords = 9;
constexpr std::int32_t kBegin = 1;
constexpr std::int32_t kEnd = 2;
constexpr int kBatch = 5;
constexpr int kMaxSteps = 12;
constexpr int kMemorySteps = 6;

// A decoder that has states but no batch of its own; one step of it is a reference call.
reference::RnnCase decoder_shape() { return {2, 1, 4, 7, kWords, 1, kBatch, false, true, 0}; }

struct Model {
  reference::RnnCase shape = decoder_shape();
  reference::AttentionCase attention{1, kMemorySteps, kBatch, 7};
  Row lstm = reference::random_row(shape.size(), 1, 1.2);
  Row attend = reference::random_row(attention.size(), 2, 0.8);
  Row output = reference::random_row((7 + 1) * kWords, 3, 1.5);
  std::vector<std::int32_t> memory_lengths = {6, 2, 5, 1, 3};
};

// Logits [B,V] after one step on `ids`; moves the state inside `lstm`.
Row step(const Model& model, Row& lstm, bool attend, const std::vector<std::int32_t>& ids) {
  const std::vector<std::int32_t> ones(kBatch, 1);
  const auto after = reference::lstm(model.shape, lstm, {ids, ones}, {});
  const std::size_t at = model.shape.state_offset();
  std::copy(after.last_h.begin(), after.last_h.end(), lstm.begin() + static_cast<long>(at));
  std::copy(after.last_c.begin(), after.last_c.end(),
            lstm.begin() + static_cast<long>(at + model.shape.state_size()));
  Row hidden = after.output;
  if (attend) {
    Row parameters = model.attend;
    std::copy(hidden.begin(), hidden.end(),
              parameters.begin() + static_cast<long>(model.attention.query_offset()));
    hidden = reference::attention(model.attention, parameters, model.memory_lengths, ones);
  }
  Row logits;
  for (int b = 0; b < kBatch; ++b) {
    for (int v = 0; v < kWords; ++v) {
      double sum = model.output[7 * kWords + v];
      for (int j = 0; j < 7; ++j) sum += model.output[v * 7 + j] * hidden[b * 7 + j];
      logits.push_back(sum);
    }
  }
  return logits;
}

std::vector<Decoded> decode_plainly(const Model& model, bool attend, int max_steps) {
  Row lstm = model.lstm;
  std::vector<Decoded> rows(kBatch);
  std::vector<std::int32_t> ids(kBatch, kBegin);
  std::vector<bool> ended(kBatch, false);
  for (int i = 0; i < max_steps; ++i) {
    const Row logits = step(model, lstm, attend, ids);
    for (int b = 0; b < kBatch; ++b) {
      if (ended[b]) continue;
      const auto* row = logits.data() + b * kWords;
      const auto best = static_cast<std::int32_t>(std::max_element(row, row + kWords) - row);
      double total = 0;
      for (int v = 0; v < kWords; ++v) total += std::exp(row[v] - row[best]);
      rows[b].log_probability -= std::log(total);
      ids[b] = best;
      ended[b] = best == kEnd;
      if (!ended[b]) rows[b].ids.push_back(best);
    }
  }
  return rows;
}

class DecodeOn : public OnDevice {
 protected:
  std::vector<Decoded> decode(const Model& model, bool attend, int max_steps = kMaxSteps) {
    const Tensor lstm = put(model.lstm);
    const Tensor attention_row = put(model.attend);
    const Tensor output = put(model.output);
    const RnnStack stack = stack_over(model.shape, lstm);
    const AttentionWeights weights{attention_row.part(0, 49), attention_row.part(49, 98)};
    DecodeCall call;
    call.decoder = &stack;
    call.initial = initial_over(model.shape, lstm);
    if (attend) {
      call.attention = &weights;
      call.memory =
          attention_row.part(model.attention.memory_offset(), model.attention.memory_size());
      call.memory_lengths = model.memory_lengths;
      call.memory_steps = kMemorySteps;
    }
    call.output = {output.part(0, 7 * kWords), output.part(7 * kWords, kWords)};
    const std::vector<std::int32_t> begin(kBatch, kBegin);
    call.begin = begin;
    call.end = kEnd;
    call.max_steps = max_steps;
    return backend_->decode(call);
  }
};

TEST_P(DecodeOn, ChoosesWhatTheReferenceChoosesStepByStep) {
  const Model model;
  for (const bool attend : {false, true}) {
    SCOPED_TRACE(attend ? "with attention" : "without attention");
    const std::vector<Decoded> expected = decode_plainly(model, attend, kMaxSteps);
    const std::vector<Decoded> actual = decode(model, attend);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t b = 0; b < expected.size(); ++b) {
      EXPECT_EQ(actual[b].ids, expected[b].ids) << b;
      EXPECT_NEAR(actual[b].log_probability, expected[b].log_probability, 1e-4) << b;
    }
  }
}

TEST_P(DecodeOn, EndsByTheEndMarkOrByTheLimit) {
  Model model;
  model.output[7 * kWords + kEnd] = 100;
  for (const Decoded& row : decode(model, false)) {
    EXPECT_TRUE(row.ids.empty());
    EXPECT_NEAR(row.log_probability, 0, 1e-6);
  }
  model.output[7 * kWords + kEnd] = -100;
  for (const Decoded& row : decode(model, true, 3)) EXPECT_EQ(row.ids.size(), 3u);
}

// Longer than any stretch that a device runs without being looked at; twice, since what was done
// once may be remembered.
TEST_P(DecodeOn, LongSentencesAreAsGoodAsShortOnes) {
  Model model;
  model.output[7 * kWords + kEnd] = -2;
  for (const bool attend : {false, true, true}) {
    const std::vector<Decoded> expected = decode_plainly(model, attend, 53);
    const std::vector<Decoded> actual = decode(model, attend, 53);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t b = 0; b < expected.size(); ++b) {
      EXPECT_EQ(actual[b].ids, expected[b].ids) << b;
      EXPECT_NEAR(actual[b].log_probability, expected[b].log_probability, 1e-3) << b;
    }
  }
}

TEST_P(DecodeOn, NoStepsGiveNoTokens) {
  for (const Decoded& row : decode(Model(), true, 0)) {
    EXPECT_TRUE(row.ids.empty());
    EXPECT_EQ(row.log_probability, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, DecodeOn, testing::ValuesIn(device_cases()), name_of_case);

}  // namespace
}  // namespace traind
