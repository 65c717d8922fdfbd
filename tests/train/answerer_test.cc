// What becomes of lines on their way to the model and back. No GPU is at hand: the CPU here only
// asks for padding like one.
#include "model/train/answerer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "model/base/error.h"
#include "tests/nn/forwarding_backend.h"
#include "tests/nn/model_case.h"

namespace traind {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

using Lines = std::vector<std::string>;

// Pads like a GPU and remembers what it was last asked.
class PaddingDevice : public ForwardingBackend {
 public:
  explicit PaddingDevice(int multiple = 1)
      : ForwardingBackend(cpu_backend(1)), multiple_(multiple) {}
  DeviceInfo info() const override {
    DeviceInfo info = ForwardingBackend::info();
    info.step_multiple = multiple_;
    return info;
  }
  std::vector<Decoded> decode(const DecodeCall& call) override {
    search = call.search;
    return ForwardingBackend::decode(call);
  }

  Search search;

 private:
  const int multiple_;
};

class AnswererTest : public testing::Test {
 protected:
  BatchEncoding encoding(int multiple = 1) const { return {&letters_, &letters_, multiple}; }

  ModelShape shape(ModelKind kind) const {
    return ModelCase{1, false, false, 0, kind}.sized({.hidden = 4, .embedding = 4}, letters_.size(),
                                                     letters_.size());
  }

  // All weights 0 but for the output's bias: which letters are likely does not depend on anything.
  void fill_with(SequenceModel& model, const std::vector<std::pair<char, float>>& logits) const {
    std::vector<float> row(row_size(model.parameters()));
    const std::size_t bias = entry_named(model.parameters(), "output.bias").offset;
    std::fill_n(row.begin() + static_cast<std::ptrdiff_t>(bias), kFirstTokenId, -50.0f);  // marks
    for (const auto& [letter, logit] : logits) {
      const std::int32_t id = letter == '.' ? kEndId : letters_.encode({&letter, 1}).at(0);
      row[bias + static_cast<std::size_t>(id)] = logit;
    }
    fill(model, row);
  }

  static Lines first_of(const std::vector<std::vector<Answer>>& answers) {
    Lines texts;
    for (const auto& of_line : answers) texts.push_back(of_line.at(0).text);
    return texts;
  }

  const Vocabulary letters_{TokenKind::kCharacters, {"a", "b"}};
};

TEST_F(AnswererTest, PaddingMakesNoAnswerLonger) {
  for (const int multiple : {1, 8}) {
    PaddingDevice device(multiple);
    SequenceModel model(device, shape(ModelKind::kSeq2seq));
    fill_with(model, {{'a', 1}});  // and it never comes to an end
    const Answerer answerer(model, encoding(multiple), {});
    const auto answers = answerer.answer(Lines{"abb", "b"});
    EXPECT_THAT(first_of(answers), ElementsAre(std::string(16, 'a'), std::string(16, 'a')))
        << multiple;
    EXPECT_FALSE(answers[0][0].ended);
  }
}

TEST_F(AnswererTest, AnEmptyLineIsItsOwnOnlyAnswer) {
  PaddingDevice device;
  SequenceModel model(device, shape(ModelKind::kSeq2seq));
  fill_with(model, {{'a', 1}});
  const auto answers = Answerer(model, encoding(), {{.beam = 3}, 2, 2}).answer(Lines{"", "b", ""});
  ASSERT_THAT(answers, ElementsAre(SizeIs(1), SizeIs(2), SizeIs(1)));
  EXPECT_THAT(first_of(answers), ElementsAre("", "aa", ""));
}

TEST_F(AnswererTest, GivesTheBestOfTheBeamWithTheirScores) {
  PaddingDevice device;
  SequenceModel model(device, shape(ModelKind::kSeq2seq));
  fill_with(model, {{'a', 1}, {'b', 0.5f}, {'.', 0}});
  const Search search{.beam = 4, .length_alpha = 0.5f};
  const auto answers = Answerer(model, encoding(), {search, 3, 2}).answer(Lines{"ab", "b"});
  EXPECT_EQ(device.search.beam, 4);
  EXPECT_EQ(device.search.best, 3);
  EXPECT_EQ(device.search.length_alpha, 0.5f);
  ASSERT_THAT(answers, ElementsAre(SizeIs(3), SizeIs(3)));
  for (const std::vector<Answer>& of_line : answers) {
    EXPECT_GT(of_line[0].score, of_line[1].score);
    EXPECT_GT(of_line[1].score, of_line[2].score);
    for (const Answer& answer : of_line) {
      EXPECT_LT(answer.log_probability, 0);
      EXPECT_EQ(answer.ended, answer.text.size() < 2) << answer.text;
    }
  }
}

TEST_F(AnswererTest, NarrowsTheBeamToTheVocabulary) {
  PaddingDevice device;
  SequenceModel model(device, shape(ModelKind::kSeq2seq));
  fill_with(model, {{'a', 1}});
  Answerer(model, encoding(), {{.beam = 64}, 6}).answer(Lines{"a"});
  EXPECT_EQ(device.search.beam, 6);
  try {
    Answerer(model, encoding(), {{.beam = 64}, 7});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kConfig);
    EXPECT_THAT(error.what(), HasSubstr("7 answers are not to be had from a beam of 6"));
  }
}

TEST_F(AnswererTest, ALanguageModelGoesOnAlsoFromNothing) {
  for (const int multiple : {1, 8}) {
    PaddingDevice device(multiple);
    SequenceModel model(device, shape(ModelKind::kLanguage));
    fill_with(model, {{'b', 1}});
    const BatchEncoding target_only{nullptr, &letters_, multiple};
    EXPECT_THAT(first_of(Answerer(model, target_only, {{}, 1, 3}).answer(Lines{"aa", "", "b"})),
                ElementsAre("bbb", "bbb", "bbb"));
    EXPECT_EQ(Answerer(model, target_only, {{}, 1, 2}).go_on({}), "bb");
    EXPECT_EQ(Answerer(model, target_only, {}).go_on(letters_.encode("ab")),
              std::string(kMostContinued, 'b'));
  }
}

TEST_F(AnswererTest, EveryDrawIsItsOwnAndComesAgainWithTheSeed) {
  PaddingDevice device;
  SequenceModel model(device, shape(ModelKind::kLanguage));
  fill_with(model, {{'a', 0}, {'b', 0}});
  const auto drawn = [&](std::uint64_t seed) {
    const Search search{.temperature = 1, .seed = seed};
    return Answerer(model, {nullptr, &letters_}, {search, 100, 40}).answer(Lines{"", "ab"});
  };
  const auto answers = drawn(1);
  ASSERT_THAT(answers, ElementsAre(SizeIs(100), SizeIs(100)));
  std::set<std::string> different;
  for (const std::vector<Answer>& of_line : answers) {
    for (const Answer& answer : of_line) different.insert(answer.text);
  }
  EXPECT_THAT(different, SizeIs(200));
  EXPECT_EQ(first_of(drawn(1)), first_of(answers));
  EXPECT_NE(first_of(drawn(2)), first_of(answers));
}

TEST_F(AnswererTest, AsksAsTheRunFileSays) {
  const Search search = search_of({.beam = 5, .length_alpha = 0.25});
  EXPECT_EQ(search.beam, 5);
  EXPECT_EQ(search.length_alpha, 0.25f);
  EXPECT_EQ(search.temperature, 0);
}

}  // namespace
}  // namespace traind
