#include "model/base/plain_text.h"

#include <gtest/gtest.h>

namespace traind {
namespace {

constexpr const char* kReplaced = "\xEF\xBF\xBD";

TEST(OneLine, KeepsWhatAReaderCanSee) {
  // The last two are held together by U+200D.
  const std::string text =
      "na\xC3\xAFve \xE4\xB8\xAD \xF0\x9F\x98\x80 \xD7\xA9 ~! "
      "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x94\xAC";
  EXPECT_EQ(one_line(text), text);
}

TEST(OneLine, MakesLineBreaksAndTabsSpaces) {
  EXPECT_EQ(one_line("a\r\nb\tc\xE2\x80\xA8"
                     "d"),
            "a  b c d");
}

TEST(OneLine, ReplacesControlsAndOverrides) {
  EXPECT_EQ(one_line("\x1b[31m"), std::string(kReplaced) + "[31m");
  EXPECT_EQ(one_line(std::string("\0", 1)), kReplaced);
  EXPECT_EQ(one_line("\x7F"), kReplaced);
  EXPECT_EQ(one_line("\xC2\x9B"), kReplaced);          // C1: CSI
  EXPECT_EQ(one_line("\xE2\x80\xAE"), kReplaced);      // U+202E, right-to-left override
  EXPECT_EQ(one_line("\xE2\x81\xA6"), kReplaced);      // U+2066, isolate
  EXPECT_EQ(one_line("\xE2\x80\x8F"), kReplaced);      // U+200F, right-to-left mark
  EXPECT_EQ(one_line("\xD8\x9C"), kReplaced);          // U+061C, Arabic letter mark
  EXPECT_EQ(one_line("\xE2\x80\x8B"), kReplaced);      // U+200B, a space of no width
  EXPECT_EQ(one_line("\xF0\x9F\xBF\xBE"), kReplaced);  // U+1FFFE, no character
}

TEST(OneLine, ReplacesEachInvalidByteAndGoesOn) {
  EXPECT_EQ(one_line("a\xFF"
                     "b"),
            std::string("a") + kReplaced + "b");
  EXPECT_EQ(one_line("\xC3"), kReplaced);
  EXPECT_EQ(one_line("\xC0\x80"), std::string(kReplaced) + kReplaced);  // overlong
  EXPECT_EQ(one_line("\xED\xA0\x80").size(), 9U);                       // surrogate
  EXPECT_EQ(one_line("\xE2\x82"
                     "a"),
            std::string(kReplaced) + kReplaced + "a");  // cut short
}

TEST(OneLine, IsItsOwnFixedPoint) {
  for (int lead = 0; lead < 256; ++lead) {
    const std::string text = std::string(1, static_cast<char>(lead)) + "\x80\xAE\n\x1b]8;;";
    const std::string once = one_line(text);
    EXPECT_EQ(one_line(once), once);
    EXPECT_TRUE(is_utf8(once));
  }
}

TEST(OneLine, CutsAtACodePointAndShowsIt) {
  EXPECT_EQ(one_line("abcd", 4), "abcd");
  EXPECT_EQ(one_line("abcde", 4), "abc\xE2\x80\xA6");
  EXPECT_EQ(one_line("\xC3\xA9\xC3\xA9\xC3\xA9", 2), "\xC3\xA9\xE2\x80\xA6");
  EXPECT_EQ(code_points_of(one_line(std::string(4096, '\xFF'), 100)), 100U);
}

TEST(Utf8, IsTheWellFormedAlone) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8(std::string("\0a\xF4\x8F\xBF\xBF", 6)));
  for (const char* bad :
       {"\x80", "\xC3", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF4\x90\x80\x80"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
}

}  // namespace
}  // namespace traind
