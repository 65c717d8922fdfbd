#include "model/train/scores.h"

#include <gtest/gtest.h>

#include "model/base/edit_distance.h"

namespace traind {
namespace {

TEST(EditDistance, CountsTheFewestEdits) {
  EXPECT_EQ(edit_distance(std::string("kitten"), std::string("sitting")), 3u);
  EXPECT_EQ(edit_distance(std::string(), std::string("abc")), 3u);
  EXPECT_EQ(edit_distance(std::string("abc"), std::string("abc")), 0u);
}

TEST(ScoreSum, SetsTheFourFiguresSideBySide) {
  ScoreSum sum;
  sum.add("word", "word", "word");  // clean, kept
  sum.add("wrod", "word", "word");  // corrupted, corrected
  sum.add("wxrd", "word", "ward");  // corrupted, not corrected
  sum.add("line", "line", "lime");  // clean, spoiled
  const Scores scores = sum.scores();
  EXPECT_EQ(scores.examples, 4);
  EXPECT_DOUBLE_EQ(scores.exact, 0.5);
  EXPECT_DOUBLE_EQ(scores.copy_exact, 0.5);
  EXPECT_EQ(scores.corrupted, 2);
  EXPECT_DOUBLE_EQ(scores.correction, 0.5);
  EXPECT_DOUBLE_EQ(scores.character_accuracy, 1 - 2.0 / 16);
  EXPECT_DOUBLE_EQ(scores.copy_character_accuracy, 1 - 3.0 / 16);
}

TEST(ScoreSum, CountsCodePointsAndNotBytes) {
  ScoreSum sum;
  sum.add("\xc3\xa4\xc3\xb6", "\xc3\xa4\xc3\xb6", "\xc3\xa4\xc3\xbc");
  EXPECT_DOUBLE_EQ(sum.scores().character_accuracy, 0.5);
}

TEST(ScoreSum, NeverFallsBelowZero) {
  ScoreSum sum;
  sum.add("a", "a", "bcdefgh");
  EXPECT_EQ(sum.scores().character_accuracy, 0);
}

TEST(ScoreSum, OfNothingIsZero) {
  const Scores scores = ScoreSum().scores();
  EXPECT_EQ(scores.exact, 0);
  EXPECT_EQ(scores.correction, 0);
}

}  // namespace
}  // namespace traind
