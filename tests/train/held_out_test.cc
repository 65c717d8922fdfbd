// What is measured on the held-out lines, with answers that are known beforehand.
#include "model/train/held_out.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include <string>
#include <vector>

#include "tests/nn/model_case.h"

namespace traind {
namespace {

using ::testing::SizeIs;

// Held-out examples as given; nothing to train on.
class FixedCorpus final : public Corpus {
 public:
  FixedCorpus(std::vector<Example> examples, std::vector<std::vector<std::string>> references)
      : examples_(std::move(examples)), references_(std::move(references)) {
    report_.valid_examples = static_cast<std::int64_t>(examples_.size());
  }
  const CorpusReport& report() const override { return report_; }
  std::string fingerprint() const override { return "0123456789abcdef"; }
  Example train(std::int64_t, int) const override { return {}; }
  Example valid(std::int64_t index) const override {
    return examples_.at(static_cast<std::size_t>(index));
  }
  std::vector<std::string> references(std::int64_t index) const override {
    return references_.at(static_cast<std::size_t>(index));
  }
  int train_length(std::int64_t) const override { return 0; }
  Vocabulary source_vocabulary() const override { return {TokenKind::kCharacters, {}}; }
  Vocabulary target_vocabulary() const override { return {TokenKind::kCharacters, {}}; }

 private:
  CorpusReport report_;
  const std::vector<Example> examples_;
  const std::vector<std::vector<std::string>> references_;
};

class HeldOutTest : public testing::Test {
 protected:
  HeldOutTest() : backend_(cpu_backend(1)) {}

  // A model whose weights are 0 but for the bias of one letter: it says that letter without end.
  void say(const std::string& letter, ModelKind kind) {
    ModelShape shape{1, 4, 4, false, false, 0, 0, letters_.size()};
    shape.kind = kind;
    if (kind == ModelKind::kSeq2seq) shape.source_words = letters_.size();
    model_ = std::make_unique<SequenceModel>(*backend_, shape);
    std::vector<float> row(row_size(model_->parameters()));
    row[entry_named(model_->parameters(), "output.bias").offset +
        static_cast<std::size_t>(letters_.encode(letter).at(0))] = 1;
    const std::vector<float> zero(row.size());
    model_->restore(row, zero, zero);
  }

  Validation validate(const Corpus& corpus, const BatchSize& size, bool language = false) {
    const HeldOut held_out(corpus, {language ? nullptr : &letters_, &letters_, 1}, size, {});
    return *held_out.validate(*model_, 1, 1, 2, [] { return true; });
  }

  const Vocabulary letters_{TokenKind::kCharacters, {"a", "b", "c"}};
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<SequenceModel> model_;
};

// "b" gets twelve letters a: that is the second of the pronunciations of "b".
TEST_F(HeldOutTest, AnyOfSeveralPronunciationsIsRight) {
  say("a", ModelKind::kSeq2seq);
  const std::string answer(12, 'a');
  const FixedCorpus corpus({{"b", "bbb"}, {"b", answer}, {"c", "ccc"}},
                           {{"bbb", answer}, {}, {"ccc"}});
  const Validation validation = validate(corpus, {2, 0});
  EXPECT_EQ(validation.scores.examples, 2);
  EXPECT_EQ(validation.scores.exact, 0.5);
  ASSERT_THAT(validation.samples, SizeIs(2));
  for (const Sample& sample : validation.samples) {
    EXPECT_EQ(sample.right(), sample.source == "b") << sample.target;
  }
}

TEST_F(HeldOutTest, BatchesChangeNothingButRounding) {
  say("a", ModelKind::kSeq2seq);
  std::vector<Example> examples;
  std::vector<std::vector<std::string>> references;
  for (int i = 1; i < 30; ++i) {
    examples.push_back({std::string(static_cast<std::size_t>(i % 7 + 1), 'b'),
                        std::string(static_cast<std::size_t>(i % 5 + 1), 'a')});
    references.push_back({examples.back().target});
  }
  const FixedCorpus corpus(examples, references);
  const Validation large = validate(corpus, {100, 0});
  for (const BatchSize& size : {BatchSize{4, 0}, BatchSize{0, 30}, BatchSize{0, 1}}) {
    const Validation small = validate(corpus, size);
    EXPECT_NEAR(small.loss, large.loss, 1e-6);
    EXPECT_EQ(small.scores.examples, 29);
    EXPECT_EQ(small.scores.exact, large.scores.exact);
  }
}

TEST_F(HeldOutTest, ALanguageModelIsMeasuredByItsLossAndGoesOnWithTheBeginningOfLines) {
  say("c", ModelKind::kLanguage);
  const FixedCorpus corpus({{"", "abab"}, {"", "aaaaab"}}, {{"abab"}, {"aaaaab"}});
  const Validation validation = validate(corpus, {8, 0}, true);
  EXPECT_GT(validation.loss, 0);
  EXPECT_EQ(validation.scores.examples, 0);
  ASSERT_THAT(validation.samples, SizeIs(2));
  for (const Sample& sample : validation.samples) {
    const std::string line = sample.source + sample.target;
    EXPECT_TRUE(line == "abab" || line == "aaaaab") << line;
    EXPECT_EQ(sample.source.size(), line.size() / 2);
    EXPECT_EQ(sample.output, std::string(2 * line.size() + 10, 'c'));
  }
}

TEST_F(HeldOutTest, EndsEarlyWhenItMayNotGoOn) {
  say("a", ModelKind::kSeq2seq);
  const FixedCorpus corpus({{"a", "b"}, {"b", "b"}}, {{"b"}, {"b"}});
  const HeldOut held_out(corpus, {&letters_, &letters_, 1}, {1, 0}, {});
  int asked = 0;
  EXPECT_FALSE(held_out.validate(*model_, 1, 1, 2, [&] { return ++asked < 2; }));
  EXPECT_EQ(asked, 2);
}

}  // namespace
}  // namespace traind
