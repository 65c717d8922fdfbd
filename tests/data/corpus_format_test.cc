#include <gmock/gmock.h>

#include <cmath>
#include <thread>

#include "tests/data/corpus_case.h"

namespace traind {
namespace {

using testing::ElementsAre;

class CorpusFormats : public CorpusCase {
 protected:
  DataSection with_valid(CorpusFormat format, const std::string& train, const std::string& valid) {
    DataSection data = one_file(format, write("train.txt", train));
    data.valid = write("valid.txt", valid);
    return data;
  }
};

TEST_F(CorpusFormats, TsvGivesSourceAndTarget) {
  const auto corpus = open(with_valid(CorpusFormat::kTsv, "1+1\t2\n2+2\t4\n", "3+3\t6"));
  const auto train = all_train(*corpus);
  ASSERT_EQ(train.size(), 2u);
  EXPECT_EQ(train[0].source, "1+1");
  EXPECT_EQ(train[0].target, "2");
  EXPECT_EQ(train[1].source, "2+2");
  EXPECT_EQ(all_valid(*corpus)[0].target, "6");
  EXPECT_EQ(corpus->report().skipped_lines, 0);
}

TEST_F(CorpusFormats, ParallelFilesArePairedLineByLine) {
  DataSection data;
  data.format = CorpusFormat::kParallel;
  data.train_source = write("train.en", "good day\nbye\nyes\n");
  data.train_target = write("train.de", "guten Tag\ntschüß\nja\n");
  data.valid_source = write("valid.en", "no\n");
  data.valid_target = write("valid.de", "nein\n");
  const auto corpus = open(data);
  const auto train = all_train(*corpus);
  ASSERT_EQ(train.size(), 3u);
  EXPECT_EQ(train[1].source, "bye");
  EXPECT_EQ(train[1].target, "tschüß");
  EXPECT_EQ(all_valid(*corpus)[0].source, "no");
  EXPECT_EQ(corpus->train_length(1), 6);
}

TEST_F(CorpusFormats, LinesAreTheTargetAndTheirNoisyFormTheSource) {
  NoiseSection noise;
  noise.lines = 1;
  noise.max_edits = 1;
  const auto corpus = open(with_valid(CorpusFormat::kLines, numbered(50), "held out\n"), noise);
  for (int i = 0; i < 50; ++i) {
    const Example example = corpus->train(i, 1);
    EXPECT_EQ(example.target, "line " + std::to_string(i));
    EXPECT_NE(example.source, example.target);
  }
  EXPECT_NE(corpus->valid(0).source, "held out");
}

TEST_F(CorpusFormats, LastLineNeedsNoNewline) {
  const auto corpus = open(with_valid(CorpusFormat::kTsv, "a\tb\nc\td", "e\tf"));
  EXPECT_EQ(corpus->train(1, 1).target, "d");
}

TEST_F(CorpusFormats, TrainLengthCountsTokensOfTheTarget) {
  DataSection data = with_valid(CorpusFormat::kTsv, "a\tžluť 漢\nb\tone two  three\n", "e\tf");
  EXPECT_EQ(open(data)->train_length(0), 6);
  data.target_tokens = TokenKind::kWords;
  EXPECT_EQ(open(data)->train_length(0), 2);
  EXPECT_EQ(open(data)->train_length(1), 3);
}

TEST_F(CorpusFormats, TrainLengthIsExactForVeryLongLines) {
  std::string text;
  for (const int length : {65'534, 65'535, 65'536, 70'000}) {
    text += "s\t" + std::string(static_cast<std::size_t>(length), 'x') + "\n";
  }
  DataSection data = with_valid(CorpusFormat::kTsv, text, "e\tf");
  data.max_length = 100'000;
  const auto corpus = open(data);
  EXPECT_EQ(corpus->train_length(0), 65'534);
  EXPECT_EQ(corpus->train_length(1), 65'535);
  EXPECT_EQ(corpus->train_length(2), 65'536);
  EXPECT_EQ(corpus->train_length(3), 70'000);
  EXPECT_EQ(corpus->train(3, 1).target.size(), 70'000u);
}

TEST_F(CorpusFormats, VocabulariesComeFromTheTrainingLinesOfTheirSide) {
  DataSection data = with_valid(CorpusFormat::kTsv, "aab\tx y\nb\ty\n", "zzz\tz");
  data.target_tokens = TokenKind::kWords;
  const auto corpus = open(data);
  EXPECT_THAT(corpus->source_vocabulary().tokens(), ElementsAre("a", "b"));
  EXPECT_THAT(corpus->target_vocabulary().tokens(), ElementsAre("y", "x"));
  data.vocabulary = 1;
  EXPECT_THAT(open(data)->source_vocabulary().tokens(), ElementsAre("a"));
}

TEST_F(CorpusFormats, NoisyCorpusHasTheAlphabetOfItsCleanLinesOnBothSides) {
  const auto corpus = open(with_valid(CorpusFormat::kLines, "abba\ncab\n", "zebra\n"));
  EXPECT_THAT(corpus->source_vocabulary().tokens(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(corpus->target_vocabulary().tokens(), ElementsAre("a", "b", "c"));
  const Vocabulary vocabulary = corpus->source_vocabulary();
  for (int epoch = 1; epoch < 50; ++epoch) {
    for (const std::int32_t id : vocabulary.encode(corpus->train(0, epoch).source)) {
      EXPECT_NE(id, kUnknownId);
    }
  }
}

TEST_F(CorpusFormats, NoiseIsFreshEachEpochOnlyWhenAsked) {
  NoiseSection noise;
  noise.lines = 1;
  const DataSection data =
      with_valid(CorpusFormat::kLines, numbered(40, "a longer line "), numbered(40, "held "));
  const auto fresh = open(data, noise);
  noise.fresh_each_epoch = false;
  const auto fixed = open(data, noise);
  int different = 0;
  for (int i = 0; i < 40; ++i) {
    different += fresh->train(i, 1).source != fresh->train(i, 2).source ? 1 : 0;
    EXPECT_EQ(fixed->train(i, 1).source, fixed->train(i, 2).source);
  }
  EXPECT_GT(different, 30);
}

TEST_F(CorpusFormats, ValidationNoiseNeverChanges) {
  NoiseSection noise;
  const DataSection data = one_file(CorpusFormat::kLines, write("all.txt", numbered(400)));
  const auto once = all_valid(*open(data, noise));
  noise.fresh_each_epoch = false;
  const auto again = all_valid(*open(data, noise));
  ASSERT_GT(once.size(), 100u);
  for (std::size_t i = 0; i < once.size(); ++i) EXPECT_EQ(once[i].source, again[i].source);
}

TEST_F(CorpusFormats, NoiseFollowsTheSeedAndTheSplitDoesNot) {
  const DataSection data = one_file(CorpusFormat::kLines, write("all.txt", numbered(400)));
  const auto one = all_valid(*open(data, {}, 1));
  const auto two = all_valid(*open(data, {}, 2));
  ASSERT_EQ(one.size(), two.size());
  int different = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].target, two[i].target);
    different += one[i].source != two[i].source ? 1 : 0;
  }
  EXPECT_GT(different, 0);
}

TEST_F(CorpusFormats, NoiseReachesTheStatedShareOfExamples) {
  NoiseSection noise;
  noise.max_edits = 1;
  const auto corpus = open(with_valid(CorpusFormat::kLines, numbered(5'000), "held out\n"), noise);
  int corrupted = 0;
  for (const Example& example : all_train(*corpus)) corrupted += example.source != example.target;
  EXPECT_NEAR(corrupted / 5'000.0, 0.8, 4 * 0.4 / std::sqrt(5'000.0));
}

TEST_F(CorpusFormats, CanBeReadByManyThreadsAtOnce) {
  const auto corpus = open(one_file(CorpusFormat::kLines, write("t", numbered(2'000))));
  const auto expected = all_train(*corpus);
  std::vector<int> wrong(4);
  std::vector<std::thread> threads;
  for (int& count : wrong) {
    threads.emplace_back([&] {
      const auto read = all_train(*corpus);
      for (std::size_t i = 0; i < read.size(); ++i) {
        count += read[i].source != expected[i].source ? 1 : 0;
      }
      corpus->target_vocabulary();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, ElementsAre(0, 0, 0, 0));
}

TEST_F(CorpusFormats, ShowsLifeWhileItReads) {
  int signs = 0;
  const auto corpus =
      open_corpus(one_file(CorpusFormat::kLines, write("all", numbered(300'000, ""))), {},
                  {folder_.path(), 1, [&] { ++signs; }});
  EXPECT_GE(signs, 2 * 4) << "twice over 300,000 lines, each 65,536 lines";
  signs = 0;
  corpus->target_vocabulary();
  EXPECT_GE(signs, 2);
}

TEST_F(CorpusFormats, ShowsLifeInsideOneEnormousLine) {
  int signs = 0;
  DataSection data = one_file(CorpusFormat::kLines, write("all", std::string(20 << 20, 'x')));
  EXPECT_THROW(open_corpus(data, {}, {folder_.path(), 1, [&] { ++signs; }}), Error);
  EXPECT_GE(signs, 4);
}

TEST_F(CorpusFormats, StopsWhenTheSignOfLifeThrows) {
  const DataSection data = one_file(CorpusFormat::kLines, write("all", numbered(100'000)));
  const auto stop = [] { throw Error(ErrorKind::kCancelled, "asked to stop"); };
  try {
    open_corpus(data, {}, {folder_.path(), 1, stop});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled);
  }
}

}  // namespace
}  // namespace traind
