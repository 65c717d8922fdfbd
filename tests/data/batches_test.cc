#include "model/data/batches.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>

#include "tests/data/corpus_case.h"

namespace traind {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Batches : public CorpusCase {
 protected:
  // `count` training lines of 1 to 20 letters and a number.
  std::unique_ptr<Corpus> lines(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      text += std::string(static_cast<std::size_t>(1 + i * 7 % 20), 'x') + std::to_string(i) + "\n";
    }
    DataSection data = one_file(CorpusFormat::kLines, write("t", text));
    data.valid = write("v", "held out\n");
    return open(data);
  }

  static std::vector<std::int64_t> order(const BatchPlan& plan) {
    std::vector<std::int64_t> numbers;
    for (std::int64_t k = 0; k < plan.size(); ++k) {
      const auto examples = plan.examples(k);
      numbers.insert(numbers.end(), examples.begin(), examples.end());
    }
    return numbers;
  }

  // Noisy words of 1 to 40 letters, and the plan of an epoch by tokens.
  struct ByTokens {
    std::unique_ptr<Corpus> corpus;
    Vocabulary vocabulary;
    BatchEncoding encoding() const { return {&vocabulary, &vocabulary, step_multiple}; }
    BatchPlan plan(int tokens, int epoch = 1) const {
      return BatchPlan(*corpus, 7, epoch, BatchSize{0, tokens}, encoding());
    }
    Batch batch(const BatchPlan& plan, std::int64_t k, int epoch = 1) const {
      return load_batch(*corpus, plan, k, epoch, encoding());
    }
    int step_multiple = 1;
  };
  ByTokens by_tokens(int count, double per_character = 0) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      text +=
          std::string(static_cast<std::size_t>(1 + i * 17 % 37), 'x') + std::to_string(i) + "\n";
    }
    DataSection data = one_file(CorpusFormat::kLines, write("t", text));
    data.valid = write("v", "held out\n");
    NoiseSection noise;
    noise.max_edits = 5;
    noise.per_character = per_character;
    auto corpus = open(data, noise);
    Vocabulary vocabulary = corpus->target_vocabulary();
    return {std::move(corpus), std::move(vocabulary)};
  }

  const Vocabulary letters_{TokenKind::kCharacters, {"a", "b", "c"}};
};

TEST_F(Batches, HoldEveryExampleExactlyOnce) {
  for (const int count : {1, 2, 7, 8, 9, 511, 512, 513, 1'500}) {
    const auto corpus = lines(count);
    for (const int size : {1, 8, 100}) {
      const BatchPlan plan(*corpus, 5, 2, size);
      EXPECT_EQ(plan.size(), (count + size - 1) / size);
      std::vector<std::int64_t> numbers = order(plan);
      std::sort(numbers.begin(), numbers.end());
      std::vector<std::int64_t> all(static_cast<std::size_t>(count));
      std::iota(all.begin(), all.end(), 0);
      EXPECT_EQ(numbers, all) << count << " examples by " << size;
    }
  }
}

TEST_F(Batches, AreFullButForOne) {
  const auto corpus = lines(1'003);
  const BatchPlan plan(*corpus, 5, 1, 10);
  int small = 0;
  for (std::int64_t k = 0; k < plan.size(); ++k) small += plan.examples(k).size() == 10 ? 0 : 1;
  EXPECT_EQ(small, 1);
}

TEST_F(Batches, ComeTheSameAfterAResume) {
  const auto before = lines(700);
  const auto after = lines(700);
  EXPECT_EQ(order(BatchPlan(*before, 3, 4, 16)), order(BatchPlan(*after, 3, 4, 16)));
  const Vocabulary vocabulary = before->target_vocabulary();
  const BatchPlan plan(*after, 3, 4, 16);
  for (const std::int64_t k : {0, 20, 43}) {
    const Batch one =
        load_batch(*before, BatchPlan(*before, 3, 4, 16), k, 4, vocabulary, vocabulary);
    const Batch two = load_batch(*after, plan, k, 4, vocabulary, vocabulary);
    EXPECT_EQ(one.source, two.source);
    EXPECT_EQ(one.target_out, two.target_out);
    EXPECT_EQ(one.examples, two.examples);
  }
}

// Resumed by a later build, a run must go on with the batches it would have had.
TEST_F(Batches, ComeTheSameForEver) {
  DataSection data = one_file(CorpusFormat::kLines, write("t", numbered(10) + "a\nb\n"));
  data.valid = write("v", "held out\n");
  const auto corpus = open(data);
  EXPECT_THAT(order(BatchPlan(*corpus, 1, 1, 4)),
              ElementsAre(3, 4, 9, 5, 10, 11, 7, 6, 1, 8, 0, 2));
}

TEST_F(Batches, DifferByEpochAndSeed) {
  const auto corpus = lines(300);
  EXPECT_NE(order(BatchPlan(*corpus, 1, 1, 8)), order(BatchPlan(*corpus, 1, 2, 8)));
  EXPECT_NE(order(BatchPlan(*corpus, 1, 1, 8)), order(BatchPlan(*corpus, 2, 1, 8)));
}

TEST_F(Batches, GroupLikeLengthsSoThatLittleIsPadded) {
  const auto corpus = lines(3'000);
  const BatchPlan plan(*corpus, 1, 1, 16);
  const Vocabulary vocabulary = corpus->target_vocabulary();
  std::int64_t cells = 0;
  std::int64_t tokens = 0;
  for (std::int64_t k = 0; k < plan.size(); ++k) {
    const Batch batch = load_batch(*corpus, plan, k, 1, vocabulary, vocabulary);
    cells += static_cast<std::int64_t>(batch.target_steps) * batch.batch_size;
    tokens += batch.target_tokens();
  }
  EXPECT_LT(static_cast<double>(cells) / static_cast<double>(tokens), 1.05);
}

TEST_F(Batches, DoNotComeInOrderOfLength) {
  const auto corpus = lines(3'000);
  const BatchPlan plan(*corpus, 1, 1, 16);
  int rises = 0;
  for (std::int64_t k = 1; k < plan.size(); ++k) {
    rises +=
        corpus->train_length(plan.examples(k)[0]) > corpus->train_length(plan.examples(k - 1)[0]);
  }
  EXPECT_GT(rises, plan.size() / 3);
  EXPECT_LT(rises, plan.size() * 2 / 3);
}

TEST_F(Batches, AreLaidOutTimeMajorWithMarks) {
  const std::vector<Example> examples = {{"ab", "c"}, {"c", "ba?"}};
  const Batch batch = make_batch(examples, letters_, letters_);
  const std::int32_t a = 4, b = 5, c = 6;
  EXPECT_EQ(batch.batch_size, 2);
  EXPECT_EQ(batch.source_steps, 2);
  EXPECT_EQ(batch.target_steps, 4);
  EXPECT_THAT(batch.source, ElementsAre(a, c, b, kPadId));
  EXPECT_THAT(batch.source_lengths, ElementsAre(2, 1));
  EXPECT_THAT(batch.target_in,
              ElementsAre(kBeginId, kBeginId, c, b, kPadId, a, kPadId, kUnknownId));
  EXPECT_THAT(batch.target_out, ElementsAre(c, b, kEndId, a, kPadId, kUnknownId, kPadId, kEndId));
  EXPECT_THAT(batch.target_lengths, ElementsAre(2, 4));
  EXPECT_EQ(batch.source_tokens(), 3);
  EXPECT_EQ(batch.target_tokens(), 6);
}

TEST_F(Batches, ArePaddedToAMultipleOfSteps) {
  const std::vector<Example> examples = {{"ab", "c"}, {"c", "ba?"}, {"abc", "abca"}};
  const Batch tight = make_batch(examples, letters_, letters_);
  const Batch wide = make_batch(examples, letters_, letters_, 4);
  EXPECT_EQ(wide.source_steps, 4);
  EXPECT_EQ(wide.target_steps, 8);
  EXPECT_EQ(wide.source_lengths, tight.source_lengths);
  EXPECT_EQ(wide.target_lengths, tight.target_lengths);
  const auto starts_with = [](const std::vector<std::int32_t>& ids,
                              std::vector<std::int32_t> beginning) {
    beginning.resize(ids.size(), kPadId);
    return ids == beginning;
  };
  EXPECT_TRUE(starts_with(wide.source, tight.source));
  EXPECT_TRUE(starts_with(wide.target_in, tight.target_in));
  EXPECT_TRUE(starts_with(wide.target_out, tight.target_out));
  EXPECT_EQ(make_batch(examples, letters_, letters_, 1).source, tight.source);
}

TEST_F(Batches, GiveAnEmptySourceOneEndMark) {
  const Vocabulary words(TokenKind::kWords, {"one"});
  const std::vector<Example> examples = {{"   ", "a"}, {"", ""}};
  const Batch batch = make_batch(examples, words, letters_);
  EXPECT_THAT(batch.source, ElementsAre(kEndId, kEndId));
  EXPECT_THAT(batch.source_lengths, ElementsAre(1, 1));
  EXPECT_THAT(batch.target_lengths, ElementsAre(2, 1));
}

TEST_F(Batches, OfNothingAreEmpty) {
  const Batch batch = make_batch({}, letters_, letters_);
  EXPECT_EQ(batch.batch_size, 0);
  EXPECT_EQ(batch.target_steps, 0);
  EXPECT_THAT(batch.target_in, IsEmpty());
}

TEST_F(Batches, NeverCutASourceThatNoiseMadeLonger) {
  DataSection data = one_file(CorpusFormat::kLines, write("t", numbered(200, "abcde")));
  data.valid = write("v", "held out\n");
  data.max_length = 8;
  NoiseSection noise;
  noise.lines = 1;
  noise.min_edits = noise.max_edits = 4;
  const auto corpus = open(data, noise);
  const Vocabulary vocabulary = corpus->target_vocabulary();
  const BatchPlan plan(*corpus, 1, 1, 200);
  const Batch batch = load_batch(*corpus, plan, 0, 1, vocabulary, vocabulary);
  EXPECT_GT(batch.source_steps, 8);
  for (std::size_t b = 0; b < 200; ++b) {
    std::vector<std::int32_t> ids;
    for (int t = 0; t < batch.source_lengths[b]; ++t) {
      ids.push_back(batch.source[static_cast<std::size_t>(t) * 200 + b]);
    }
    EXPECT_EQ(vocabulary.decode(ids), corpus->train(batch.examples[b], 1).source);
  }
}

// Counted with padding and noise, in every epoch, on every device.
TEST_F(Batches, HoldAtMostSoManyTokens) {
  for (const double per_character : {0.0, 0.3}) {
    ByTokens words = by_tokens(700, per_character);
    for (const int multiple : {1, 8}) {
      words.step_multiple = multiple;
      for (const int epoch : {1, 2}) {
        const BatchPlan plan = words.plan(500, epoch);
        for (std::int64_t k = 0; k < plan.size(); ++k) {
          const Batch batch = words.batch(plan, k, epoch);
          EXPECT_LE(batch.batch_size * (batch.source_steps + batch.target_steps), 500);
        }
      }
    }
  }
}

TEST_F(Batches, BySoManyTokensHoldEveryExampleExactlyOnceAndAreNearlyFull) {
  const ByTokens words = by_tokens(5'000);
  const BatchPlan plan = words.plan(1'000);
  std::vector<std::int64_t> numbers = order(plan);
  std::sort(numbers.begin(), numbers.end());
  std::vector<std::int64_t> all(5'000);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(numbers, all);
  std::int64_t cells = 0;
  for (std::int64_t k = 0; k < plan.size(); ++k) {
    const Batch batch = words.batch(plan, k);
    cells += batch.batch_size * (batch.source_steps + batch.target_steps);
  }
  EXPECT_GT(static_cast<double>(cells) / static_cast<double>(plan.size()), 900);
}

TEST_F(Batches, OfTooFewTokensHoldOneExampleEach) {
  const ByTokens words = by_tokens(50);
  const BatchPlan plan = words.plan(1);
  EXPECT_EQ(plan.size(), 50);
  for (std::int64_t k = 0; k < plan.size(); ++k) EXPECT_EQ(plan.examples(k).size(), 1u);
}

TEST_F(Batches, BySoManyTokensComeTheSameAfterAResumeAndDifferByEpoch) {
  const ByTokens before = by_tokens(300);
  const ByTokens after = by_tokens(300);
  EXPECT_EQ(order(before.plan(200, 3)), order(after.plan(200, 3)));
  EXPECT_NE(order(before.plan(200, 3)), order(before.plan(200, 4)));
}

TEST_F(Batches, BySoManyTokensGiveSignsOfLifeWhileTheyArePlanned) {
  const ByTokens words = by_tokens(5'000);
  int signs = 0;
  const BatchPlan plan(*words.corpus, 7, 1, BatchSize{0, 100}, words.encoding(), [&] { ++signs; });
  EXPECT_EQ(signs, 2);
}

TEST_F(Batches, AreCutWhereTheNextExampleWouldBeTooMuch) {
  const std::vector<ExampleSteps> row = {{2, 2}, {2, 2}, {2, 3}, {9, 9}, {1, 1}};
  const auto cut = [&](const BatchSize& size, int multiple = 1) {
    return cut_into_batches(row, size, multiple);
  };
  EXPECT_THAT(cut({2, 0}), ElementsAre(2, 2, 1));
  EXPECT_THAT(cut({0, 8}), ElementsAre(2, 1, 1, 1));
  EXPECT_THAT(cut({0, 15}), ElementsAre(3, 1, 1));
  EXPECT_THAT(cut({0, 14}), ElementsAre(2, 1, 1, 1));
  EXPECT_THAT(cut({0, 1'000}), ElementsAre(5));
  EXPECT_THAT(cut({0, 23}, 4), ElementsAre(2, 1, 1, 1));
  EXPECT_THAT(cut({0, 24}, 4), ElementsAre(3, 1, 1));
  EXPECT_THAT(cut_into_batches({}, {0, 24}, 4), IsEmpty());
}

TEST_F(Batches, OfALanguageModelHaveNoSources) {
  const std::vector<Example> examples = {{"", "ab"}, {"", "c"}};
  const Batch batch = make_batch(examples, BatchEncoding{nullptr, &letters_, 4});
  EXPECT_EQ(batch.batch_size, 2);
  EXPECT_EQ(batch.source_steps, 0);
  EXPECT_THAT(batch.source, IsEmpty());
  EXPECT_THAT(batch.source_lengths, IsEmpty());
  EXPECT_EQ(batch.source_tokens(), 0);
  EXPECT_EQ(batch.target_steps, 4);
  EXPECT_THAT(batch.target_lengths, ElementsAre(3, 2));
  EXPECT_EQ(steps_of(examples[0], {nullptr, &letters_, 4}), (ExampleSteps{0, 3}));
  EXPECT_EQ(steps_of(examples[0], {&letters_, &letters_, 4}), (ExampleSteps{1, 3}));
}

}  // namespace
}  // namespace traind
