#include "model/train/scores.h"

#include <gtest/gtest.h>

#include <vector>

#include "model/base/edit_distance.h"

namespace traind {
namespace {

void add(ScoreSum& sum, const std::string& source, const std::string& target,
         const std::string& output) {
  sum.add(source, std::vector<std::string>{target}, output);
}

TEST(EditDistance, CountsTheFewestEdits) {
  EXPECT_EQ(edit_distance(std::string("kitten"), std::string("sitting")), 3u);
  EXPECT_EQ(edit_distance(std::string(), std::string("abc")), 3u);
  EXPECT_EQ(edit_distance(std::string("abc"), std::string("abc")), 0u);
}

TEST(ScoreSum, SetsTheFourFiguresSideBySide) {
  ScoreSum sum;
  add(sum, "word", "word", "word");  // clean, kept
  add(sum, "wrod", "word", "word");  // corrupted, corrected
  add(sum, "wxrd", "word", "ward");  // corrupted, not corrected
  add(sum, "line", "line", "lime");  // clean, spoiled
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
  add(sum, "\xc3\xa4\xc3\xb6", "\xc3\xa4\xc3\xb6", "\xc3\xa4\xc3\xbc");
  EXPECT_DOUBLE_EQ(sum.scores().character_accuracy, 0.5);
  EXPECT_DOUBLE_EQ(sum.scores().character_error_rate, 0.5);
}

TEST(ScoreSum, LetsTheErrorRateExceedOneAndKeepsTheAccuracyAtZero) {
  ScoreSum sum;
  add(sum, "a", "a", "bcdefgh");
  EXPECT_EQ(sum.scores().character_accuracy, 0);
  EXPECT_DOUBLE_EQ(sum.scores().character_error_rate, 7);
}

TEST(ScoreSum, CountsErrorsInCharactersAndInWords) {
  ScoreSum sum;
  add(sum, "x", "the cat sat", "the  bat sat down");  // a word replaced, one added
  add(sum, "x", "one", "");
  const Scores scores = sum.scores();
  EXPECT_DOUBLE_EQ(scores.word_error_rate, 3.0 / 4);
  EXPECT_DOUBLE_EQ(scores.character_error_rate, (1 + 1 + 5 + 3.0) / (11 + 3));
}

TEST(ScoreSum, TakesAnyReferenceForRight) {
  const std::vector<std::string> tomato = {"T AH M EY T OW", "T AH M AA T OW"};
  ScoreSum sum;
  sum.add("tomato", tomato, tomato[0]);
  sum.add("tomato", tomato, tomato[1]);
  sum.add("T AH M AA T OW", tomato, "T");  // a source that is right as it is
  const Scores scores = sum.scores();
  EXPECT_DOUBLE_EQ(scores.exact, 2.0 / 3);
  EXPECT_EQ(scores.corrupted, 2);
  EXPECT_DOUBLE_EQ(scores.correction, 1);
  EXPECT_DOUBLE_EQ(scores.copy_exact, 1.0 / 3);
}

TEST(ScoreSum, MeasuresErrorsToTheNearestReference) {
  ScoreSum sum;
  sum.add("x", std::vector<std::string>{"a b c d e f", "a b c d"}, "a b c x");
  EXPECT_DOUBLE_EQ(sum.scores().word_error_rate, 1.0 / 4);
  EXPECT_DOUBLE_EQ(sum.scores().character_error_rate, 1.0 / 7);
}

TEST(ScoreSum, TakesTheFirstOfEquallyNearReferences) {
  for (const bool shorter_first : {true, false}) {
    std::vector<std::string> references = {"a b", "a b c d"};
    if (!shorter_first) std::swap(references[0], references[1]);
    ScoreSum sum;
    sum.add("x", references, "a b c");
    EXPECT_DOUBLE_EQ(sum.scores().word_error_rate, shorter_first ? 1.0 / 2 : 1.0 / 4);
  }
}

TEST(ScoreSum, HasBleuWithItsSignature) {
  ScoreSum sum;
  add(sum, "x", "The cat sat on the mat.", "The cat sat on the mat.");
  EXPECT_NEAR(sum.scores().bleu, 100, 1e-9);
  EXPECT_TRUE(sum.scores().bleu_signature.starts_with("nrefs:1|case:mixed|eff:no|tok:13a|"));
}

TEST(ScoreSum, OfNothingIsZero) {
  const Scores scores = ScoreSum().scores();
  EXPECT_EQ(scores.exact, 0);
  EXPECT_EQ(scores.correction, 0);
  EXPECT_EQ(scores.word_error_rate, 0);
  EXPECT_EQ(scores.bleu, 0);
  EXPECT_EQ(scores.bleu_signature, "");
}

}  // namespace
}  // namespace traind
