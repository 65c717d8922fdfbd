#include "model/base/clock.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>

namespace traind {
namespace {

TEST(UnixMicros, IsTheSystemsTime) {
  const auto now = [] {
    return std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  const auto before = now();
  const auto asked = unix_micros();
  EXPECT_LE(before, asked);
  EXPECT_LE(asked, now());
}

TEST(Rfc3339, WritesUtcWithZ) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339(1'795'228'507'000'000), "2026-11-21T02:35:07Z");
  EXPECT_EQ(rfc3339(1'709'210'096'999'999), "2024-02-29T12:34:56Z");
}

TEST(Rfc3339, CutsMillisecondsAndDoesNotRoundThem) {
  EXPECT_EQ(rfc3339(1'795'228'507'123'999, true), "2026-11-21T02:35:07.123Z");
  EXPECT_EQ(rfc3339(1'795'228'507'000'000, true), "2026-11-21T02:35:07.000Z");
}

TEST(Rfc3339, KnowsTimeBefore1970) {
  EXPECT_EQ(rfc3339(-1, true), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(rfc3339(-1'000'000), "1969-12-31T23:59:59Z");
}

TEST(DurationWords, LeavesOutLeadingZeroes) {
  EXPECT_EQ(duration_words(48), "48s");
  EXPECT_EQ(duration_words(2 * 60 + 48), "2m:48s");
  EXPECT_EQ(duration_words(21 * 3600 + 2 * 60 + 48), "21h:2m:48s");
  EXPECT_EQ(duration_words(3600), "1h:0m:0s");
  EXPECT_EQ(duration_words(60), "1m:0s");
}

TEST(DurationWords, CutsFractionsAndNegatives) {
  EXPECT_EQ(duration_words(59.999), "59s");
  EXPECT_EQ(duration_words(0), "0s");
  EXPECT_EQ(duration_words(-5), "0s");
}

TEST(DurationWords, SurvivesAnEndlessTime) {
  EXPECT_FALSE(duration_words(std::numeric_limits<double>::infinity()).empty());
}

}  // namespace
}  // namespace traind
