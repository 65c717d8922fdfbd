// Does it learn? One batch by heart, and two-digit addition well enough for sums it never saw.

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <utility>
#include <vector>

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

// Measured with seeds 1 to 8: 99.5 to 100 % of the held-out sums, 99 % reached after 5 to 7 epochs.
class Addition : public testing::Test {
 protected:
  static constexpr std::uint64_t kSeed = 1;
  static constexpr int kBatch = 64;
  static constexpr int kEpochs = 12;
  static constexpr float kRate = 0.004f;

  Addition() : sums_(all_sums()), backend_(cpu_backend()), model_(*backend_, shape()) {
    model_.initialise(kSeed);
  }

  static ModelShape shape() { return {1, 128, 64, true, true, 0, kAdditionWords, kAdditionWords}; }

  // All training sums once, in an order of the epoch's own.
  void train_epoch(int epoch) {
    std::vector<const Sum*> order;
    for (const Sum& sum : sums_.training) order.push_back(&sum);
    RandomStream random(kSeed, RandomUse::kShuffle, static_cast<std::uint64_t>(epoch));
    for (std::size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
    }
    const std::size_t steps_an_epoch = order.size() / kBatch;
    const auto steps = static_cast<float>(kEpochs * steps_an_epoch);
    for (std::size_t i = 0; i + kBatch <= order.size(); i += kBatch) {
      const SumBatch batch({order.begin() + static_cast<std::ptrdiff_t>(i),
                            order.begin() + static_cast<std::ptrdiff_t>(i + kBatch)});
      model_.forward_backward(batch.pair(), {kSeed, static_cast<std::uint64_t>(step_)});
      const float rate = kRate * (1 - static_cast<float>(step_) / steps);
      model_.update({0.9f, 0.999f, 1e-8f, 5.0f}, ++step_, rate);
      model_.take_result();
    }
  }

  double exact_match_held_out() {
    std::vector<const Sum*> all;
    for (const Sum& sum : sums_.held_out) all.push_back(&sum);
    const SumBatch batch(all);
    const std::vector<Decoded> answers =
        model_.decode({batch.pair().source, kAdditionBegin, kAdditionEnd, 6});
    int right = 0;
    for (std::size_t b = 0; b < all.size(); ++b) right += answers[b].ids == all[b]->answer;
    return right / static_cast<double>(all.size());
  }

  Sums sums_;
  std::unique_ptr<Backend> backend_;
  SequenceModel model_;
  std::int64_t step_ = 0;
};

TEST_F(Addition, IsRightOnSumsItNeverSaw) {
  ASSERT_GT(sums_.held_out.size(), 900u);
  for (int epoch = 1; epoch <= kEpochs; ++epoch) train_epoch(epoch);
  const double match = exact_match_held_out();
  RecordProperty("exact_match", std::to_string(match));
  EXPECT_GE(match, 0.99);
}

}  // namespace
}  // namespace traind
