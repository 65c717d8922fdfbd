#include "model/train/pace.h"

#include <gtest/gtest.h>

namespace traind {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Pace, KnowsNothingBeforeTheFirstStep) {
  const Pace pace(0, Pace::Clock::time_point());
  EXPECT_EQ(pace.examples_per_second(), 0);
  EXPECT_EQ(pace.seconds_left(10, 1), -1);
}

TEST(Pace, CountsTheLastSecondsAndForgetsTheSlowBeginning) {
  Pace::Clock::time_point now{};
  Pace pace(0, now);
  for (int i = 0; i < 10; ++i) pace.step(1, 10, now += seconds(1));
  EXPECT_NEAR(pace.examples_per_second(), 1, 1e-9);
  for (int i = 0; i < 300; ++i) pace.step(1, 10, now += milliseconds(100));
  EXPECT_NEAR(pace.examples_per_second(), 10, 0.2);
  EXPECT_NEAR(pace.tokens_per_second(), 100, 2);
  EXPECT_NEAR(pace.seconds_left(100, 0), 10, 0.2);
}

TEST(Pace, DoesNotTakeAValidationForASlowStep) {
  Pace::Clock::time_point now{};
  Pace pace(0, now);
  for (int i = 0; i < 10; ++i) pace.step(1, 1, now += milliseconds(100));
  pace.validated(60);
  pace.pause_ended(now += seconds(60));
  pace.step(1, 1, now += milliseconds(100));
  EXPECT_NEAR(pace.examples_per_second(), 10, 0.1);
  EXPECT_NEAR(pace.seconds_left(10, 2), 1 + 2 * 60, 0.1);
}

TEST(Pace, AddsWhatEarlierWorkersTrained) {
  const Pace::Clock::time_point begin{};
  const Pace pace(1000, begin);
  EXPECT_NEAR(pace.trained_seconds(begin + seconds(5)), 1005, 1e-9);
}

}  // namespace
}  // namespace traind
