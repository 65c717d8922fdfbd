#include "notifier/safe_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/notifier/sample_reports.h"

namespace traind {
namespace {

using testing::ElementsAre;

constexpr const char* kReplaced = "\xEF\xBF\xBD";

TEST(OneLine, KeepsWhatAReaderCanSee) {
  const std::string text = "na\xC3\xAFve \xE4\xB8\xAD \xF0\x9F\x98\x80 \xD7\xA9 ~!";
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
  EXPECT_EQ(one_line("\xC2\x9B"), kReplaced);      // C1: CSI
  EXPECT_EQ(one_line("\xE2\x80\xAE"), kReplaced);  // U+202E, right-to-left override
  EXPECT_EQ(one_line("\xE2\x81\xA6"), kReplaced);  // U+2066, isolate
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
  for (const std::string& text : hostile_strings()) {
    const std::string once = one_line(text);
    EXPECT_EQ(one_line(once), once);
  }
}

TEST(OneLine, CutsAtACodePointAndShowsIt) {
  EXPECT_EQ(one_line("abcd", 4), "abcd");
  EXPECT_EQ(one_line("abcde", 4), "abc\xE2\x80\xA6");
  EXPECT_EQ(one_line("\xC3\xA9\xC3\xA9\xC3\xA9", 2), "\xC3\xA9\xE2\x80\xA6");
  EXPECT_EQ(code_points_of(one_line(std::string(4096, '\xFF'), 100)), 100U);
}

TEST(HtmlEscaped, LeavesNothingThatOpensATagOrEndsAnAttribute) {
  EXPECT_EQ(html_escaped("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
}

TEST(Wrapped, BreaksAtSpacesOnly) {
  EXPECT_THAT(wrapped("one two  three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(wrapped("a longerthanthat b", 5), ElementsAre("a", "longerthanthat", "b"));
  EXPECT_THAT(wrapped("  ", 5), ElementsAre());
}

}  // namespace
}  // namespace traind
