// Kernels whose items are shared by a group give several members what one alone gets. Members are
// threads here that meet at barriers only, as on a GPU: what one reads after another has changed
// it shows in the numbers, and to a thread sanitizer in any case.
#include "model/backend/cuda/kernels/group.h"

#include <gtest/gtest.h>

#include <barrier>
#include <thread>
#include <vector>

#include "model/backend/cuda/kernels/attention.h"
#include "model/backend/cuda/kernels/decoding.h"
#include "model/backend/cuda/kernels/loss.h"
#include "model/backend/cuda/kernels/update.h"
#include "tests/backend/device_case.h"
#include "tests/backend/reference.h"

namespace traind::cuda {
namespace {

constexpr int kMembers = 5;  // divides no width below

struct Meeting {
  std::barrier<> barrier{kMembers};
  double sums[kMembers] = {};
  Highest highest[kMembers];
};

class Member {
 public:
  Member(Meeting& meeting, int rank) : meeting_(meeting), rank_(rank) {}
  int rank() const { return rank_; }
  int size() const { return kMembers; }
  float sum(float value) const { return static_cast<float>(sum(static_cast<double>(value))); }
  double sum(double value) const {
    meeting_.sums[rank_] = value;
    meeting_.barrier.arrive_and_wait();
    double all = 0;
    for (const double one : meeting_.sums) all += one;
    meeting_.barrier.arrive_and_wait();
    return all;
  }
  Highest highest(Highest value) const {
    meeting_.highest[rank_] = value;
    meeting_.barrier.arrive_and_wait();
    Highest all;
    for (const Highest& one : meeting_.highest) all.offer(one.value, one.at);
    meeting_.barrier.arrive_and_wait();
    return all;
  }

 private:
  Meeting& meeting_;
  int rank_;
};

template <class Kernel>
void run_together(const Kernel& kernel) {
  Meeting meeting;
  std::vector<std::jthread> members;
  for (int rank = 0; rank < kMembers; ++rank) {
    members.emplace_back([&kernel, &meeting, rank] {
      for (std::size_t item = 0; item < kernel.count(); ++item) {
        kernel(Member(meeting, rank), item);
      }
    });
  }
}

template <class Kernel>
void run_alone(const Kernel& kernel) {
  for (std::size_t item = 0; item < kernel.count(); ++item) kernel(Alone(), item);
}

template <class Kernel>
void run(const Kernel& kernel, bool together) {
  together ? run_together(kernel) : run_alone(kernel);
}

std::vector<float> numbers(std::size_t count, std::uint64_t seed) {
  const reference::Row row = reference::random_row(count, seed, 3);
  return {row.begin(), row.end()};
}

template <class Number>
reference::Row doubles(const std::vector<Number>& values) {
  return {values.begin(), values.end()};
}

// [T,B] = [3,2], V = 17.
reference::Row cross_entropy(Type type, bool together) {
  std::vector<float> logits = numbers(6 * 24, 1);
  std::vector<float> half_gradients(6 * 24);
  const std::vector<float> bias = numbers(17, 2);
  const std::vector<std::int32_t> targets = {0, 16, 5, 6, 7, 99};
  const std::vector<std::int32_t> lengths = {3, 2};
  const float gradient_scale = 0.5f;
  const float loss_scale = 8;
  std::vector<double> nats(6);
  std::vector<Outcome> outcomes(6);
  CrossEntropy kernel;
  kernel.logits = logits.data();
  kernel.bias = bias.data();
  kernel.targets = targets.data();
  kernel.lengths = lengths.data();
  kernel.gradient_scale = &gradient_scale;
  kernel.loss_scale = &loss_scale;
  const bool in_place = type == Type::kFloat;
  kernel.d_logits = {in_place ? logits.data() : half_gradients.data(), type, 0};
  kernel.nats = nats.data();
  kernel.outcomes = outcomes.data();
  kernel.steps = 3;
  kernel.batch = 2;
  kernel.words = 17;
  kernel.pitch = 24;
  run(kernel, together);
  LossSum sum{1, 2, 3};
  LossTotal total;
  total.nats = nats.data();
  total.outcomes = outcomes.data();
  total.to = &sum;
  total.rows = 6;
  total.add = 1;
  run(total, together);
  EXPECT_EQ(sum.tokens, 2 + 5);
  reference::Row all = {sum.loss, static_cast<double>(sum.correct)};
  for (std::size_t i = 0; i < 6 * 24; ++i) all.push_back(kernel.d_logits.get(i));
  return all;
}

TEST(GroupKernels, ShareARowOfTheLoss) {
  for (const Type type : {Type::kFloat, Type::kHalf, Type::kBfloat16}) {
    const double tolerance = type == Type::kFloat ? 1e-6 : type == Type::kHalf ? 1e-3 : 1e-2;
    expect_close(cross_entropy(type, true), cross_entropy(type, false), tolerance, "loss");
  }
  // The padding of the two: the gap between the rows, and the row past the second sentence's end.
  const reference::Row exact = cross_entropy(Type::kFloat, false);
  const reference::Row half = cross_entropy(Type::kHalf, false);
  for (std::size_t i = 2; i < exact.size(); ++i) {
    if ((i - 2) % 24 >= 17) continue;
    EXPECT_NEAR(half[i], exact[i], 2e-3) << i;
  }
  for (std::size_t i = 0; i < 17; ++i) EXPECT_EQ(exact[2 + 5 * 24 + i], 0);
}

TEST(GroupKernels, ShareThePiecesOfANorm) {
  const std::vector<float> gradients = numbers(2 * SquareSums::kPiece + 77, 3);
  const auto update = [&](bool together) {
    std::vector<double> sums(3);
    SquareSums squares;
    squares.values = gradients.data();
    squares.sums = sums.data();
    squares.size = gradients.size();
    run(squares, together);
    const UpdateNow now{0.1f, 1, 1, 1};
    std::vector<float> scale = {64, 7};
    LossSum pending{5, 6, 7};
    std::vector<StepResult> reports(2);
    UpdatePlan plan;
    UpdateDecision decision;
    decision.sums = sums.data();
    decision.now = &now;
    decision.loss_scale = scale.data();
    decision.pending = &pending;
    decision.reports = reports.data();
    decision.plan = &plan;
    decision.pieces = squares.count();
    decision.clip_norm = 1;
    run(decision, together);
    EXPECT_EQ(pending.tokens, 0);
    EXPECT_EQ(plan.apply, 1);
    return reference::Row{reports[1].loss.loss, reports[1].gradient_norm, reports[1].loss_scale,
                          scale[1], plan.gradient_factor};
  };
  expect_close(update(true), update(false), 1e-9, "norm");
}

TEST(GroupKernels, ShareARowOfAttention) {
  const std::vector<std::int32_t> lengths = {11, 3};
  const std::vector<std::int32_t> query_lengths = {2, 3};
  for (const Type type : {Type::kFloat, Type::kHalf, Type::kBfloat16}) {
    const auto there_and_back = [&](bool together) {
      std::vector<float> scores = numbers(6 * 16, 1);
      std::vector<float> d_shares = numbers(6 * 16, 2);
      std::vector<float> halves(2 * 6 * 16);
      const bool in_place = type == Type::kFloat;
      AttentionShares forward;
      forward.scores = scores.data();
      forward.lengths = lengths.data();
      forward.query_lengths = query_lengths.data();
      forward.shares = {in_place ? scores.data() : halves.data(), type, 0};
      forward.batch = 2;
      forward.steps = 3;
      forward.memory_steps = 11;
      forward.pitch = 16;
      run(forward, together);
      AttentionSharesBack back;
      back.shares = forward.shares;
      back.d_shares = d_shares.data();
      back.d_scores = {in_place ? d_shares.data() : &halves[6 * 16], type, 0};
      back.rows = 6;
      back.memory_steps = 11;
      back.pitch = 16;
      run(back, together);
      reference::Row all;
      for (std::size_t row = 0; row < 6; ++row) {
        for (std::size_t s = 0; s < 11; ++s) {
          all.push_back(back.shares.get(row * 16 + s));
          all.push_back(back.d_scores.get(row * 16 + s));
        }
      }
      return all;
    };
    const double tolerance = type == Type::kFloat ? 1e-6 : type == Type::kHalf ? 1e-3 : 1e-2;
    expect_close(there_and_back(true), there_and_back(false), tolerance, "attention");
  }
}

TEST(GroupKernels, ShareTheChoiceOfATokenAndTheFirstOfEqualsWins) {
  for (const bool together : {false, true}) {
    std::vector<float> logits(4 * 16, 0.0f);
    logits[0 * 16 + 7] = logits[0 * 16 + 9] = 3;
    logits[1 * 16 + 2] = 5;  // the end mark
    for (int v = 0; v < 13; ++v) logits[static_cast<std::size_t>(2) * 16 + v] = NAN;
    logits[3 * 16 + 4] = 9;
    const std::vector<float> bias(13, 0.0f);
    std::vector<std::int32_t> ids(4, 1);
    std::vector<DecodedRow> rows(4);
    rows[3] = {-1.5, 1, 1};  // ended before
    std::vector<std::int32_t> chosen(8, -1);
    NextToken next;
    next.logits = logits.data();
    next.bias = bias.data();
    next.ids = ids.data();
    next.rows = rows.data();
    next.chosen = chosen.data();
    next.batch = 4;
    next.words = 13;
    next.pitch = 16;
    next.end = 2;
    run(next, together);
    EXPECT_EQ(ids, (std::vector<std::int32_t>{7, 2, 0, 1}));
    EXPECT_EQ(chosen, (std::vector<std::int32_t>{7, 2, 0, -1, -1, -1, -1, -1}));
    EXPECT_NEAR(rows[0].log_probability, -std::log(2 + 11 * std::exp(-3.0)), 1e-6);
    EXPECT_EQ(rows[0].taken, 1);
    EXPECT_EQ(rows[0].ended, 0);
    EXPECT_EQ(rows[1].ended, 1);
    EXPECT_EQ(rows[3].log_probability, -1.5);
    EXPECT_EQ(rows[3].taken, 1);
  }
}

TEST(GroupKernels, ShareTheBestTokensOfARowInTheirOrder) {
  for (const bool together : {false, true}) {
    std::vector<float> logits(3 * 16, 0.0f);
    logits[0 * 16 + 7] = logits[0 * 16 + 9] = 3;
    logits[0 * 16 + 11] = 4;
    logits[1 * 16 + 12] = -INFINITY;
    for (int v = 0; v < 13; ++v) logits[static_cast<std::size_t>(2) * 16 + v] = v == 6 ? 1 : NAN;
    const std::vector<float> bias(13, 0.0f);
    std::vector<Candidate> best(12);
    BestTokens find;
    find.logits = logits.data();
    find.bias = bias.data();
    find.best = best.data();
    find.rows = 3;
    find.words = 13;
    find.pitch = 16;
    find.most = 4;
    run(find, together);
    std::vector<std::int32_t> ids;
    for (const Candidate& one : best) ids.push_back(one.id);
    EXPECT_EQ(ids, (std::vector<std::int32_t>{11, 7, 9, 0, 0, 1, 2, 3, 6, 0, 0, 0}));
    EXPECT_NEAR(best[1].log_probability - best[0].log_probability, -1, 1e-6);
    EXPECT_NEAR(best[4].log_probability, -std::log(12.0), 1e-6);
    EXPECT_TRUE(std::isnan(best[8].log_probability));
  }
}

TEST(GroupKernels, ShareADraw) {
  const std::vector<float> logits = numbers(2 * 16, 4);
  const std::vector<float> bias(13, 0.0f);
  const auto drawn = [&](bool together, std::uint64_t seed) {
    const TokenSampling sampling{seed, 0.7f, 0};
    std::vector<std::int32_t> ids(2);
    std::vector<DecodedRow> rows(2);
    std::vector<std::int32_t> chosen(2);
    NextToken next;
    next.logits = logits.data();
    next.bias = bias.data();
    next.sampling = &sampling;
    next.ids = ids.data();
    next.rows = rows.data();
    next.chosen = chosen.data();
    next.batch = 2;
    next.words = 13;
    next.pitch = 16;
    next.end = -1;
    run(next, together);
    return chosen;
  };
  for (std::uint64_t seed = 0; seed < 20; ++seed) EXPECT_EQ(drawn(true, seed), drawn(false, seed));
  EXPECT_NE(drawn(false, 1), drawn(false, 2));
}

}  // namespace
}  // namespace traind::cuda
