// The learning rate of an update: formulas against their papers, and what holds for every schedule.
#include "model/train/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "model/train/measure.h"
#include "model/train/run_course.h"

namespace traind {
namespace {

constexpr double kBase = 0.004;

TrainSection train_section() {
  TrainSection train;
  train.learning_rate = kBase;
  return train;
}

ScheduleSection schedule_of(ScheduleKind kind, std::int64_t warmup) {
  ScheduleSection schedule;
  schedule.kind = kind;
  schedule.warmup_steps = warmup;
  return schedule;
}

double rate_at(const ScheduleSection& schedule, std::int64_t update, std::int64_t total = 1000,
               const std::vector<double>& results = {}) {
  return learning_rate(train_section(), schedule, {update, total, results});
}

class EverySchedule : public testing::TestWithParam<ScheduleKind> {};

TEST_P(EverySchedule, RisesLinearlyToTheBaseWhileItWarmsUp) {
  const ScheduleSection schedule = schedule_of(GetParam(), 8);
  for (int update = 1; update <= 8; ++update) {
    EXPECT_DOUBLE_EQ(rate_at(schedule, update), kBase * update / 8);
  }
}

TEST_P(EverySchedule, NeverRisesAfterTheWarmUpAndStaysBetweenFloorAndBase) {
  ScheduleSection schedule = schedule_of(GetParam(), 50);
  schedule.floor = GetParam() == ScheduleKind::kConstant ? 0 : kBase / 10;
  double before = kBase;
  for (int update = 50; update <= 3000; ++update) {
    const double rate = rate_at(schedule, update);
    EXPECT_LE(rate, before) << update;
    EXPECT_GE(rate, schedule.floor) << update;
    before = rate;
  }
}

// With schedules, a changed learning rate is the new base: every rate is in proportion to it.
TEST_P(EverySchedule, IsInProportionToItsBase) {
  const ScheduleSection schedule = schedule_of(GetParam(), 10);
  const std::vector<double> results = {1, 2, 3};
  TrainSection doubled = train_section();
  doubled.learning_rate *= 2;
  for (const int update : {1, 9, 10, 11, 500, 999}) {
    EXPECT_DOUBLE_EQ(learning_rate(doubled, schedule, {update, 1000, results}),
                     2 * rate_at(schedule, update, 1000, results));
  }
}

INSTANTIATE_TEST_SUITE_P(Schedule, EverySchedule,
                         testing::Values(ScheduleKind::kConstant, ScheduleKind::kInverseSqrt,
                                         ScheduleKind::kCosine, ScheduleKind::kPlateau));

TEST(Schedule, ConstantIsTheBaseFromTheFirstUpdateOn) {
  for (const int update : {1, 2, 1'000'000}) EXPECT_EQ(rate_at({}, update), kBase);
}

TEST(Schedule, InverseSqrtHalvesWhenTheStepsQuadruple) {
  const ScheduleSection schedule = schedule_of(ScheduleKind::kInverseSqrt, 100);
  EXPECT_DOUBLE_EQ(rate_at(schedule, 400), kBase / 2);
  EXPECT_DOUBLE_EQ(rate_at(schedule, 1600), kBase / 4);
}

TEST(Schedule, CosineIsHalfWayInTheMiddleAndAtItsFloorAtTheEnd) {
  ScheduleSection schedule = schedule_of(ScheduleKind::kCosine, 100);
  schedule.floor = kBase / 5;
  EXPECT_DOUBLE_EQ(rate_at(schedule, 100), kBase);
  EXPECT_DOUBLE_EQ(rate_at(schedule, 550), (kBase + schedule.floor) / 2);
  EXPECT_DOUBLE_EQ(
      rate_at(schedule, 325),
      schedule.floor + (kBase - schedule.floor) * (1 + std::cos(std::numbers::pi / 4)) / 2);
  EXPECT_DOUBLE_EQ(rate_at(schedule, 1000), schedule.floor);
  EXPECT_DOUBLE_EQ(rate_at(schedule, 5000), schedule.floor);
  schedule.decay_steps = 300;
  EXPECT_DOUBLE_EQ(rate_at(schedule, 200), (kBase + schedule.floor) / 2);
  EXPECT_DOUBLE_EQ(rate_at(schedule, 300), schedule.floor);
}

TEST(Schedule, PlateauLowersTheRateAfterSoManyEpochsWithoutABetterOne) {
  ScheduleSection schedule = schedule_of(ScheduleKind::kPlateau, 0);
  schedule.patience = 2;
  schedule.factor = 0.1;
  schedule.floor = kBase / 50;
  EXPECT_DOUBLE_EQ(rate_at(schedule, 9, 100, {3, 2, 2}), kBase);
  EXPECT_DOUBLE_EQ(rate_at(schedule, 9, 100, {3, 2, 2, 2.5}), kBase / 10);
  EXPECT_DOUBLE_EQ(rate_at(schedule, 9, 100, {3, 2, 2, 2.5, 2.1}), kBase / 10);
  EXPECT_DOUBLE_EQ(rate_at(schedule, 9, 100, {3, 2, 2, 2.5, 2.1, 2.2}), schedule.floor);
  EXPECT_DOUBLE_EQ(rate_at(schedule, 9, 100, {3, 2, 4, 1, 4, 1}), kBase / 10);
}

TEST(Schedule, PlateauFollowsTheMeasureThatTheRunFollows) {
  const std::vector<double> rising = {0.1, 0.2, 0.3};
  EXPECT_EQ(plateaus(Measure::kLoss, 1, rising), 2);
  EXPECT_EQ(plateaus(Measure::kExact, 1, rising), 0);
  EXPECT_EQ(plateaus(Measure::kWordErrorRate, 1, rising), 2);
  EXPECT_EQ(plateaus(Measure::kBleu, 1, rising), 0);
  EXPECT_EQ(plateaus(Measure::kExact, 1, {}), 0);
}

TEST(Measure, OfEqualEpochsTheFirstIsTheBest) {
  EXPECT_EQ(epochs_without_better(Measure::kLoss, {}), 0);
  EXPECT_EQ(epochs_without_better(Measure::kLoss, std::vector<double>{2}), 0);
  EXPECT_EQ(epochs_without_better(Measure::kLoss, std::vector<double>{2, 2, 2}), 2);
  EXPECT_EQ(epochs_without_better(Measure::kLoss, std::vector<double>{2, 3, 1}), 0);
  EXPECT_EQ(epochs_without_better(Measure::kBleu, std::vector<double>{2, 3, 1}), 1);
}

TEST(Measure, TakesItsOwnValue) {
  Scores scores;
  scores.exact = 1;
  scores.character_accuracy = 2;
  scores.character_error_rate = 3;
  scores.word_error_rate = 4;
  scores.bleu = 5;
  scores.correction = 6;
  EXPECT_EQ(value_of(Measure::kLoss, 0.5, scores), 0.5);
  EXPECT_EQ(value_of(Measure::kExact, 0.5, scores), 1);
  EXPECT_EQ(value_of(Measure::kCharacterAccuracy, 0.5, scores), 2);
  EXPECT_EQ(value_of(Measure::kCharacterErrorRate, 0.5, scores), 3);
  EXPECT_EQ(value_of(Measure::kWordErrorRate, 0.5, scores), 4);
  EXPECT_EQ(value_of(Measure::kBleu, 0.5, scores), 5);
  EXPECT_EQ(value_of(Measure::kCorrection, 0.5, scores), 6);
}

TEST(RunCourse, CountsTheUpdatesOfTheWholeRunFromAnywhereInIt) {
  RunFile run;
  run.train.epochs = 3;
  run.train.accumulate = 4;  // 10 batches an epoch: updates of 4, 4 and 2
  TrainState state;
  EXPECT_EQ(total_updates(run.train, state, 10), 9);
  for (const std::int64_t batch : {4, 8, 10}) {
    state.batch = batch;
    state.epoch = 2;
    state.step = 3 + (batch + 3) / 4;
    EXPECT_EQ(total_updates(run.train, state, 10), 9) << batch;
  }
  run.train.max_steps = 7;
  EXPECT_EQ(total_updates(run.train, state, 10), 7);
}

TEST(RunCourse, EndsForTheReasonThatIsTrueOfIt) {
  TrainSection train;
  train.epochs = 3;
  train.patience = 2;
  train.max_steps = 100;
  train.max_hours = 1;
  TrainState state;
  state.step = 50;
  state.epoch = 3;
  state.results = {2, 1};
  EXPECT_FALSE(reason_to_end(train, state, 3599));
  EXPECT_EQ(reason_to_end(train, state, 3600), EndReason::kTimeLimit);
  state.step = 100;
  EXPECT_EQ(reason_to_end(train, state, 10), EndReason::kStepLimit);
  state.results = {1, 2, 2};
  EXPECT_EQ(reason_to_end(train, state, 10), EndReason::kEarlyStop);
  state.epoch = 4;
  EXPECT_EQ(reason_to_end(train, state, 3600), EndReason::kAllEpochs);
  // The last epoch was not trained to its end.
  state.cut_short = true;
  EXPECT_EQ(reason_to_end(train, state, 10), EndReason::kStepLimit);
}

}  // namespace
}  // namespace traind
