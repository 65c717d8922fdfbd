#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <set>

#include "model/data/split.h"
#include "tests/data/corpus_case.h"

namespace traind {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class CorpusSplit : public CorpusCase {
 protected:
  static std::set<std::string> targets(const std::vector<Example>& examples) {
    std::set<std::string> found;
    for (const Example& example : examples) found.insert(example.target);
    return found;
  }
};

TEST_F(CorpusSplit, HoldsOutTheStatedFraction) {
  DataSection data = one_file(CorpusFormat::kLines, write("t", numbered(20'000)), 0.1);
  const CorpusReport report = open(data)->report();
  EXPECT_EQ(report.train_examples + report.valid_examples, 20'000);
  EXPECT_NEAR(static_cast<double>(report.valid_examples), 2'000, 4 * std::sqrt(20'000 * 0.1 * 0.9));
}

TEST_F(CorpusSplit, NoLineIsOnBothSides) {
  std::string text;
  for (int i = 0; i < 2'000; ++i) text += "line " + std::to_string(i % 300) + "\n";
  const auto corpus = open(one_file(CorpusFormat::kLines, write("t", text)));
  const auto train = targets(all_train(*corpus));
  const auto valid = targets(all_valid(*corpus));
  EXPECT_EQ(train.size() + valid.size(), 300u);
  for (const std::string& line : valid) EXPECT_EQ(train.count(line), 0u) << line;
}

TEST_F(CorpusSplit, NoPairIsOnBothSides) {
  DataSection data;
  data.format = CorpusFormat::kParallel;
  std::string source;
  std::string target;
  for (int i = 0; i < 1'000; ++i) {
    source += "s" + std::to_string(i % 200) + "\n";
    target += "t" + std::to_string(i % 200) + "\n";
  }
  data.train_source = write("s", source);
  data.train_target = write("t", target);
  data.valid_fraction = 0.3;
  const auto corpus = open(data);
  const auto valid = targets(all_valid(*corpus));
  for (const std::string& line : targets(all_train(*corpus))) EXPECT_EQ(valid.count(line), 0u);
}

TEST_F(CorpusSplit, DependsOnTheLineAndNotOnItsPlace) {
  std::string backwards;
  for (int i = 999; i >= 0; --i) backwards += "line " + std::to_string(i) + "\n";
  const auto one = open(one_file(CorpusFormat::kLines, write("a", numbered(1'000))));
  const auto two = open(one_file(CorpusFormat::kLines, write("b", backwards)));
  EXPECT_EQ(targets(all_valid(*one)), targets(all_valid(*two)));
}

// A run that is resumed by a later build must hold out the same lines.
TEST_F(CorpusSplit, HoldsOutTheSameLinesForEver) {
  const auto corpus = open(one_file(CorpusFormat::kLines, write("t", numbered(20)), 0.3));
  EXPECT_EQ(targets(all_valid(*corpus)),
            (std::set<std::string>{"line 13", "line 14", "line 15", "line 3", "line 7"}));
}

TEST_F(CorpusSplit, KeepsTheOrderOfTheFileOnBothSides) {
  const auto corpus = open(one_file(CorpusFormat::kLines, write("t", numbered(500))));
  for (const auto& side : {all_train(*corpus), all_valid(*corpus)}) {
    int last = -1;
    for (const Example& example : side) {
      const int number = std::stoi(example.target.substr(5));
      EXPECT_GT(number, last);
      last = number;
    }
  }
}

TEST_F(CorpusSplit, LimitTakesTheFirstUsableLines) {
  DataSection data =
      one_file(CorpusFormat::kTsv, write("t", "bad\n" + numbered(1'000, "s\tline ")), 0.2);
  data.bad_lines = BadLines::kSkip;
  data.limit = 100;
  const auto corpus = open(data);
  EXPECT_EQ(corpus->report().train_examples + corpus->report().valid_examples, 100);
  for (const Example& example : all_train(*corpus)) {
    EXPECT_LT(std::stoi(example.target.substr(5)), 100);
  }
}

TEST_F(CorpusSplit, ValidLimitTakesTheSmallestHashesAndTrainsOnTheRest) {
  DataSection data = one_file(CorpusFormat::kLines, write("t", numbered(2'000)));
  const auto all = targets(all_valid(*open(data)));
  data.valid_limit = 50;
  const auto fifty = open(data);
  data.valid_limit = 20;
  const auto twenty = open(data);
  EXPECT_EQ(fifty->report().valid_examples, 50);
  EXPECT_EQ(fifty->report().train_examples, 1'950);
  EXPECT_EQ(twenty->report().valid_examples, 20);
  const auto of_fifty = targets(all_valid(*fifty));
  for (const std::string& line : of_fifty) EXPECT_EQ(all.count(line), 1u);
  for (const std::string& line : targets(all_valid(*twenty))) EXPECT_EQ(of_fifty.count(line), 1u);
}

TEST_F(CorpusSplit, ValidLimitAppliesToAFileOfItsOwn) {
  DataSection data = one_file(CorpusFormat::kLines, write("t", numbered(100)));
  data.valid = write("v", numbered(300, "held "));
  data.valid_limit = 40;
  const auto corpus = open(data);
  EXPECT_EQ(corpus->report().train_examples, 100);
  EXPECT_EQ(corpus->report().valid_examples, 40);
  EXPECT_EQ(targets(all_valid(*corpus)), targets(all_valid(*open(data))));
  data.valid_limit = 0;
  EXPECT_EQ(open(data)->report().valid_examples, 300);
}

TEST_F(CorpusSplit, NothingHeldOutIsAnError) {
  const DataSection data = one_file(CorpusFormat::kLines, write("t", numbered(10)), 0);
  EXPECT_EQ(error_of(data).kind(), ErrorKind::kData);
  EXPECT_THAT(error_of(data).what(), HasSubstr("no line is held out for validation"));
}

TEST_F(CorpusSplit, NothingToTrainOnIsAnError) {
  const DataSection data = one_file(CorpusFormat::kLines, write("t", numbered(10)), 1);
  EXPECT_EQ(error_of(data).kind(), ErrorKind::kData);
  EXPECT_THAT(error_of(data).what(), HasSubstr("no line is left to train on"));
}

TEST(IsInFraction, HasExactEnds) {
  EXPECT_FALSE(is_in_fraction(0, 0));
  EXPECT_TRUE(is_in_fraction(0, 1e-9));
  EXPECT_TRUE(is_in_fraction(~std::uint64_t{0}, 1));
  EXPECT_FALSE(is_in_fraction(~std::uint64_t{0}, 0.999999));
  EXPECT_TRUE(is_in_fraction((std::uint64_t{1} << 63) - 1, 0.5));
  EXPECT_FALSE(is_in_fraction(std::uint64_t{1} << 63, 0.5));
}

TEST(SmallestHashes, NeverPartsEqualLines) {
  const std::vector<HashedLine> lines = {{5, 0}, {1, 1}, {5, 2}, {9, 3}, {1, 4}, {7, 5}};
  EXPECT_THAT(smallest_hashes(lines, 2), ElementsAre(1, 4));
  EXPECT_THAT(smallest_hashes(lines, 3), ElementsAre(1, 4, 5)) << "two fives do not fit";
  EXPECT_THAT(smallest_hashes(lines, 4), ElementsAre(0, 1, 2, 4));
  EXPECT_THAT(smallest_hashes(lines, 0), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(smallest_hashes({}, 3), IsEmpty());
}

}  // namespace
}  // namespace traind
