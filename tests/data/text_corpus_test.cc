#include <gmock/gmock.h>

#include "tests/data/corpus_case.h"

namespace traind {
namespace {

using testing::HasSubstr;

class TextCorpus : public CorpusCase {};

TEST_F(TextCorpus, HasLinesAndNoSources) {
  const auto corpus = open(one_file(CorpusFormat::kText, write("t", numbered(40))));
  for (const Example& example : all_train(*corpus)) {
    EXPECT_EQ(example.source, "");
    EXPECT_THAT(example.target, HasSubstr("line "));
  }
  const std::vector<Example> valid = all_valid(*corpus);
  ASSERT_GT(valid.size(), 5u);
  EXPECT_EQ(valid[0].source, "");
  EXPECT_THAT(corpus->references(0), testing::ElementsAre(valid[0].target));
}

TEST_F(TextCorpus, HasAVocabularyOfItsTargetsAlone) {
  const auto corpus = open(one_file(CorpusFormat::kText, write("t", numbered(40))));
  EXPECT_EQ(corpus->source_vocabulary().size(), kFirstTokenId);
  EXPECT_GT(corpus->target_vocabulary().size(), kFirstTokenId);
}

TEST_F(TextCorpus, RefusesBadLinesAsOthersDo) {
  const auto refusal = [this](const std::string& line) {
    return std::string(error_of(one_file(CorpusFormat::kText, write("t", line + "\nb\n"))).what());
  };
  EXPECT_THAT(refusal(""), HasSubstr("t:1: is empty"));
  EXPECT_THAT(refusal("\xFF"), HasSubstr("t:1: the line is not valid UTF-8"));
  EXPECT_THAT(refusal("a\r"), HasSubstr("CR LF"));
  EXPECT_THAT(refusal(std::string(101, 'a')), HasSubstr("more than max_length = 100"));
  EXPECT_THAT(refusal("a\x01"), HasSubstr("control character"));
}

TEST_F(TextCorpus, DoesNotCountTokensOfASourceThatIsNotThere) {
  DataSection data = one_file(CorpusFormat::kText, write("t", numbered(40, "one two three ")));
  data.target_tokens = TokenKind::kWords;
  data.max_length = 4;
  EXPECT_GT(open(data)->report().train_examples, 0);
}

TEST_F(TextCorpus, IsAnotherCorpusThanTheSameLinesWithNoise) {
  const std::string path = write("t", numbered(40));
  EXPECT_NE(open(one_file(CorpusFormat::kText, path))->fingerprint(),
            open(one_file(CorpusFormat::kLines, path))->fingerprint());
}

TEST_F(TextCorpus, GetsNoNoise) {
  NoiseSection noise;
  noise.lines = 1;
  const std::string path = write("t", numbered(40));
  const auto corpus = open(one_file(CorpusFormat::kText, path), noise);
  for (const Example& example : all_train(*corpus)) EXPECT_EQ(example.source, "");
}

}  // namespace
}  // namespace traind
