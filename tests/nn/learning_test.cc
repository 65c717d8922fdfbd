// Does it learn? One batch by heart, two-digit addition well enough for sums it never saw, and how
// a periodic text goes on.

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "model/backend/cpu/cpu_backend.h"
#include "tests/nn/addition.h"
#include "tests/nn/model_case.h"
#include "tests/nn/toy_batch.h"

namespace traind {
namespace {

TEST(Learning, OneBatchIsLearntByHeart) {
  const std::unique_ptr<Backend> backend = cpu_backend();
  const ModelShape shape{2, 32, 16, true, true, 0, 20, 20};
  SequenceModel model(*backend, shape);
  model.initialise(1);
  const ToyBatch batch = toy_batch(shape, {8, 7, 6}, 3);
  for (int step = 1; step <= 300; ++step) {
    model.forward_backward(batch.pair(), {1, static_cast<std::uint64_t>(step)});
    model.update({0.9f, 0.999f, 1e-8f, 5.0f}, step, 0.01f);
    model.take_result();
  }
  const LossSum sum = model.evaluate(batch.pair());
  EXPECT_EQ(sum.correct, sum.tokens);
  EXPECT_LT(sum.loss / static_cast<double>(sum.tokens), 0.01);
}

// Measured: 99.5 to 100 % of the held-out sums by an LSTM with seeds 1 to 8, 99.5 to 99.8 % by a
// GRU with seeds 1 to 3; 99 % reached after 5 to 7 epochs.
struct Learner {
  const char* name;
  CellKind cell;
  cpu::InstructionSet arithmetic;
};

class Addition : public testing::TestWithParam<Learner> {
 protected:
  void SetUp() override {
    if (!cpu::machine_has(GetParam().arithmetic)) {
      GTEST_SKIP() << "this processor has no instructions for bfloat16";
    }
    backend_ = cpu::make_cpu_backend({2, GetParam().arithmetic});
    model_ = std::make_unique<SequenceModel>(*backend_, shape());
    model_->initialise(kSeed);
  }
  static constexpr std::uint64_t kSeed = 1;
  static constexpr int kBatch = 64;
  static constexpr float kRate = 0.004f;

  static int epochs() { return GetParam().cell == CellKind::kLstm ? 12 : 8; }
  static ModelShape shape() {
    ModelShape shape{1, 128, 64, true, true, 0, kAdditionWords, kAdditionWords};
    shape.cell = GetParam().cell;
    return shape;
  }

  // All training sums once, in an order of the epoch's own.
  void train_epoch(int epoch) {
    std::vector<const Sum*> order;
    for (const Sum& sum : sums_.training) order.push_back(&sum);
    RandomStream random(kSeed, RandomUse::kShuffle, static_cast<std::uint64_t>(epoch));
    for (std::size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
    }
    const std::size_t steps_an_epoch = order.size() / kBatch;
    const auto steps = static_cast<float>(epochs() * steps_an_epoch);
    for (std::size_t i = 0; i + kBatch <= order.size(); i += kBatch) {
      const SumBatch batch({order.begin() + static_cast<std::ptrdiff_t>(i),
                            order.begin() + static_cast<std::ptrdiff_t>(i + kBatch)});
      model_->forward_backward(batch.pair(), {kSeed, static_cast<std::uint64_t>(step_)});
      const float rate = kRate * (1 - static_cast<float>(step_) / steps);
      model_->update({0.9f, 0.999f, 1e-8f, 5.0f}, ++step_, rate);
      model_->take_result();
    }
  }

  double exact_match_held_out() {
    std::vector<const Sum*> all;
    for (const Sum& sum : sums_.held_out) all.push_back(&sum);
    const SumBatch batch(all);
    const std::vector<Decoded> answers =
        model_->decode({batch.pair().source, kAdditionBegin, kAdditionEnd, 6});
    int right = 0;
    for (std::size_t b = 0; b < all.size(); ++b) right += answers[b].ids == all[b]->answer;
    return right / static_cast<double>(all.size());
  }

  Sums sums_ = all_sums();
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<SequenceModel> model_;
  std::int64_t step_ = 0;
};

TEST_P(Addition, IsRightOnSumsItNeverSaw) {
  ASSERT_GT(sums_.held_out.size(), 900u);
  for (int epoch = 1; epoch <= epochs(); ++epoch) train_epoch(epoch);
  const double match = exact_match_held_out();
  RecordProperty("exact_match", std::to_string(match));
  EXPECT_GE(match, 0.99);
}

// The text "abacabadabacabad..." from somewhere on. After "aba" comes c or d: only who remembers
// what came before it knows.
class PeriodicText : public testing::TestWithParam<ModelCase> {
 protected:
  static constexpr int kSteps = 40;
  static constexpr int kBatch = 16;
  static constexpr std::int32_t kBegin = 0;
  static constexpr std::int32_t kEnd = 1;
  static constexpr int kWords = 6;  // two marks, four letters

  static std::int32_t letter(std::size_t place) {
    constexpr std::string_view kPeriod = "abacabad";
    return 2 + kPeriod[place % kPeriod.size()] - 'a';
  }

  // [steps,B] the begin mark, then the text from place b on.
  static std::vector<std::int32_t> texts(std::size_t steps) {
    std::vector<std::int32_t> ids;
    for (std::size_t t = 0; t < steps; ++t) {
      for (std::size_t b = 0; b < kBatch; ++b) ids.push_back(t == 0 ? kBegin : letter(b + t - 1));
    }
    return ids;
  }
};

TEST_P(PeriodicText, IsLearntAndGoneOnWith) {
  const std::unique_ptr<Backend> backend = cpu_backend();
  SequenceModel model(*backend, GetParam().sized({.hidden = 32, .embedding = 16}, 0, kWords));
  model.initialise(1);
  const std::vector<std::int32_t> ids = texts(kSteps + 1);
  const std::span<const std::int32_t> all(ids);
  const std::vector<std::int32_t> lengths(kBatch, kSteps);
  for (int step = 1; step <= 200; ++step) {
    model.forward_backward(
        {{}, {all.first(kSteps * kBatch), lengths, kSteps}, {all.subspan(kBatch), lengths, kSteps}},
        {1, static_cast<std::uint64_t>(step)});
    model.update({0.9f, 0.999f, 1e-8f, 5.0f}, step, 0.01f);
    model.take_result();
  }
  // Longer than any text it has seen.
  constexpr int kPrompt = 20;
  constexpr int kFurther = 60;
  const std::vector<std::int32_t> prompt_lengths(kBatch, kPrompt);
  const std::vector<Decoded> answers = model.decode(
      {{all.first(kPrompt * kBatch), prompt_lengths, kPrompt}, kBegin, kEnd, kFurther});
  for (std::size_t b = 0; b < kBatch; ++b) {
    std::vector<std::int32_t> expected;
    for (std::size_t t = 0; t < kFurther; ++t) expected.push_back(letter(b + kPrompt - 1 + t));
    EXPECT_EQ(answers[b].ids, expected) << "text " << b;
    EXPECT_FALSE(answers[b].ended);
  }
}

INSTANTIATE_TEST_SUITE_P(
    OfEachCell, PeriodicText,
    testing::Values(ModelCase{1, false, false, 0, ModelKind::kLanguage, CellKind::kLstm, false},
                    ModelCase{1, false, false, 0, ModelKind::kLanguage, CellKind::kGru, true}),
    [](const auto& of) { return name_of(of.param); });

INSTANTIATE_TEST_SUITE_P(
    OfEachCell, Addition,
    testing::Values(Learner{"Lstm", CellKind::kLstm, cpu::InstructionSet::kBest},
                    Learner{"Gru", CellKind::kGru, cpu::InstructionSet::kBest},
                    Learner{"LstmInBfloat16", CellKind::kLstm, cpu::InstructionSet::kAvx512Bf16},
                    Learner{"GruInBfloat16", CellKind::kGru, cpu::InstructionSet::kAvx512Bf16}),
    [](const auto& of) { return of.param.name; });

}  // namespace
}  // namespace traind
