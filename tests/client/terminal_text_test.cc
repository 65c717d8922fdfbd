#include "client/terminal_text.h"

#include <gtest/gtest.h>

namespace traind {
namespace {

TEST(TerminalText, OrdinaryTextStaysAsItIs) {
  EXPECT_EQ(neutral("naïve café, 中文, 😀"), "naïve café, 中文, 😀");
}

TEST(TerminalText, EscapesAndControlsAreWrittenOut) {
  EXPECT_EQ(neutral("a\x1b[2Jb"), "a\\x1b[2Jb");
  EXPECT_EQ(neutral("a\rb\x07\x7f"), "a\\rb\\x07\\x7f");
  EXPECT_EQ(neutral("a\nb\tc"), "a\\nb\\tc");
  EXPECT_EQ(neutral(std::string("a\0b", 3)), "a\\x00b");
  // C1 controls: U+009B is the one-character form of "ESC [".
  EXPECT_EQ(neutral("a\u009b2Jb"), "a\\u009b2Jb");
}

TEST(TerminalText, WhatHidesOrReordersIsWrittenOut) {
  EXPECT_EQ(neutral("abc\u202edef"), "abc\\u202edef");
  EXPECT_EQ(neutral("a\u2066b\u2069"), "a\\u2066b\\u2069");
  EXPECT_EQ(neutral("a\u200bb\ufeff"), "a\\u200bb\\ufeff");
  EXPECT_EQ(neutral("a\U000e0041"), "a\\U000e0041");
}

TEST(TerminalText, BytesThatAreNotUtf8AreWrittenOut) {
  EXPECT_EQ(neutral("a\xff"), "a\\xff");
  EXPECT_EQ(neutral("\xc3"), "\\xc3");
  EXPECT_EQ(neutral("\xc0\xaf"), "\\xc0\\xaf");           // overlong '/'
  EXPECT_EQ(neutral("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
  EXPECT_EQ(neutral("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
}

TEST(TerminalText, ManyLinesKeepTheirEndsAndTabsAlone) {
  EXPECT_EQ(neutral("a\tb\n\x1b]0;title\x07", Lines::kMany), "a\tb\n\\x1b]0;title\\x07");
}

TEST(TerminalText, AFileGetsMarksAndNoControls) {
  EXPECT_EQ(without_controls("\u05d0\u200f!\u202e"), "\u05d0\u200f!\u202e");
  EXPECT_EQ(without_controls("a\nb\x1b[2J\u009b\xff"), "a\\nb\\x1b[2J\\u009b\\xff");
}

TEST(TerminalText, FindsTheFirstByteThatIsNotUtf8) {
  EXPECT_EQ(first_invalid_utf8("schön"), std::string::npos);
  EXPECT_EQ(first_invalid_utf8("ab\xff"), 2u);
}

TEST(TerminalText, JsonEscapesWhatATerminalWouldObey) {
  EXPECT_EQ(neutral_json("\"a\u202e\u009b\x7f\U000e0041\""),
            "\"a\\u202e\\u009b\\u007f\\udb40\\udc41\"");
}

TEST(TerminalText, CountsColumnsNotBytes) {
  EXPECT_EQ(columns_of("abc"), 3);
  EXPECT_EQ(columns_of("né"), 2);
  EXPECT_EQ(columns_of("ne\u0301"), 2);
  EXPECT_EQ(columns_of("中文"), 4);
  EXPECT_EQ(columns_of("😀"), 2);
}

TEST(TerminalText, ClipsToColumnsWithAnEllipsis) {
  EXPECT_EQ(clipped("abcdef", 6), "abcdef");
  EXPECT_EQ(clipped("abcdef", 5), "abcd…");
  EXPECT_EQ(clipped("abcdef", 5, false), "ab...");
  EXPECT_EQ(clipped("中文中文", 6), "中文…");
  EXPECT_EQ(clipped("abcdef", 0), "");
}

TEST(TerminalText, FittingLeavesColoursOutOfTheCount) {
  EXPECT_EQ(fitted("\x1b[31mabc\x1b[0m", 3), "\x1b[31mabc\x1b[0m");
  EXPECT_EQ(fitted("\x1b[31mabcdef\x1b[0m", 3), "\x1b[31mab…\x1b[0m");
  EXPECT_EQ(fitted("abcdef", 3), "ab…");
}

TEST(TerminalText, PadsByColumns) {
  EXPECT_EQ(padded("中", 4), "中  ");
  EXPECT_EQ(padded_left("né", 4), "  né");
  EXPECT_EQ(padded("long", 2), "long");
}

}  // namespace
}  // namespace traind
