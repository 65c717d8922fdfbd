#include "notifier/figures.h"

#include <gtest/gtest.h>

#include <limits>

namespace traind {
namespace {

TEST(Figures, ReadAsPeopleWriteThem) {
  EXPECT_EQ(percent_words(0.704), "70.4 %");
  EXPECT_EQ(percent_words(1), "100.0 %");
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(12345678), "12,345,678");
  EXPECT_EQ(grouped(-1234), "-1,234");
  EXPECT_EQ(grouped(-123), "-123");
  EXPECT_EQ(loss_words(0.03524), "0.0352");
  EXPECT_EQ(loss_words(12.345), "12.35");
  EXPECT_EQ(loss_words(1e300), "1e+300");
  EXPECT_EQ(loss_words(std::numeric_limits<double>::quiet_NaN()), "nan");
  EXPECT_EQ(short_number(0.001), "0.001");
}

TEST(Figures, TellTimeInUtc) {
  EXPECT_EQ(minute_words(1'795'228'507'000'000), "2026-11-21 02:35 UTC");
  EXPECT_EQ(mail_date(1'795'228'507'000'000), "Sat, 21 Nov 2026 02:35:07 +0000");
  EXPECT_EQ(mail_date(0), "Thu, 01 Jan 1970 00:00:00 +0000");
}

}  // namespace
}  // namespace traind
