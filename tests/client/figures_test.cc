#include "client/figures.h"

#include <cmath>

#include "tests/client/golden.h"
#include "tests/client/replies.h"

namespace traind {
namespace {

using FiguresTest = test::GoldenTest;

TEST(Figures, CountsHaveThousandsSeparators) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1000), "1,000");
  EXPECT_EQ(count_text(1234567), "1,234,567");
  EXPECT_EQ(count_text(-1234), "-1,234");
  EXPECT_EQ(count_text(-123), "-123");
}

TEST(Figures, DurationsAreReadableAtEveryLength) {
  EXPECT_EQ(duration_text(0.04), "0.0s");
  EXPECT_EQ(duration_text(0.96), "1s");
  EXPECT_EQ(duration_text(59.6), "1m 0s");
  EXPECT_EQ(duration_text(75768), "21h 2m 48s");
  EXPECT_EQ(duration_text(3600), "1h 0m 0s");
  EXPECT_EQ(duration_text(90061), "1d 1h 1m");
  EXPECT_EQ(duration_text(std::nan("")), "?");
  EXPECT_EQ(duration_text(-1), "?");
}

TEST(Figures, DurationsAreReadBack) {
  EXPECT_EQ(parse_duration("90"), 90);
  EXPECT_EQ(parse_duration("1h30m"), 5400);
  EXPECT_EQ(parse_duration("0.5s"), 0.5);
  EXPECT_EQ(parse_duration("2d"), 172800);
  for (const char* wrong : {"", "0", "-1", "5x", "s", "1h-3m", "inf", "nan", "1e99", "1 h"}) {
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
  }
}

TEST(Figures, BytesAreOfAMillion) {
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1000), "1.0 kB");
  EXPECT_EQ(bytes_text(999999), "1.0 MB");
  EXPECT_EQ(bytes_text(103000000), "103.0 MB");
  EXPECT_EQ(bytes_text(2500000000), "2.5 GB");
}

TEST_F(FiguresTest, TimesAreRfc3339InUtc) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(rfc3339(test::kNow), "2026-11-21T14:12:09.250000Z");
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(utc_seconds(test::kNow), "2026-11-21T14:12:09Z");
}

TEST_F(FiguresTest, AMomentOfAnotherDayHasItsDate) {
  EXPECT_EQ(moment_text(test::kNow + 1000000, test::kNow), "14:12:10");
  EXPECT_EQ(moment_text(test::kNow + 86400000000, test::kNow), "Sun 2026-11-22 14:12");
}

TEST_F(FiguresTest, AgesAreRelativeForAPersonAlone) {
  Look look;
  look.now_micros = test::kNow;
  EXPECT_EQ(age_text(test::kNow - 12000000, look), "2026-11-21T14:11:57Z");
  look.terminal = true;
  EXPECT_EQ(age_text(test::kNow - 12000000, look), "12s ago");
  EXPECT_EQ(age_text(test::kNow - 8000000000, look), "2h 13m ago");
  EXPECT_EQ(age_text(test::kNow - 300000000000, look), "3d 11h ago");
  EXPECT_EQ(age_text(test::kNow + 12000000, look), "just now");
  EXPECT_EQ(age_text(0, look), "-");
}

TEST(Figures, EveryStateHasAName) {
  EXPECT_EQ(name_of(v1::RUN_STATE_QUEUED), "queued");
  EXPECT_EQ(name_of(v1::RUN_STATE_PREEMPTED), "preempted");
  EXPECT_EQ(name_of(v1::RUN_STATE_UNSPECIFIED), "unknown");
  EXPECT_EQ(name_of(static_cast<v1::RunState>(99)), "unknown");
  EXPECT_EQ(name_of(v1::CHECKPOINT_REASON_REQUEST), "request");
  EXPECT_EQ(name_of(v1::PHASE_VALIDATING), "validating");
}

TEST(Figures, APreemptedRunHasNotEnded) {
  EXPECT_FALSE(has_ended(v1::RUN_STATE_PREEMPTED));
  EXPECT_FALSE(has_ended(v1::RUN_STATE_STALLED));
  EXPECT_TRUE(has_ended(v1::RUN_STATE_STOPPED));
  EXPECT_TRUE(has_ended(v1::RUN_STATE_FAILED));
  EXPECT_TRUE(has_ended(v1::RUN_STATE_COMPLETED));
}

TEST(Figures, GaugesSayWhatIsKnown) {
  const double unknown = std::nan("");
  v1::Progress progress;
  EXPECT_EQ(gauges_text(progress), "");
  v1::GpuGauges& gpu = *progress.mutable_gpu();
  EXPECT_EQ(gauges_text(progress), "0 % busy, 0 B of 0 B, 0 C, 0 W");
  gpu.set_utilisation(unknown);
  gpu.set_memory_bytes(31.2e9);
  gpu.set_memory_total_bytes(150.7e9);
  gpu.set_celsius(unknown);
  gpu.set_watts(412.5);
  EXPECT_EQ(gauges_text(progress), "31.2 GB of 150.7 GB, 412 W");
  gpu.set_memory_bytes(1e300);
  gpu.set_watts(HUGE_VAL);
  EXPECT_EQ(gauges_text(progress), "1000000000.0 GB of 150.7 GB");
}

}  // namespace
}  // namespace traind
