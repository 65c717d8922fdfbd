// What only a language model does: it goes on from a prompt, and has no source.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/base/error.h"
#include "tests/nn/model_case.h"
#include "tests/nn/toy_batch.h"

namespace traind {
namespace {

using testing::HasSubstr;

constexpr std::int32_t kEnd = 3;
constexpr int kMaxSteps = 6;

using Ids = std::vector<std::int32_t>;

// Prompts side by side, in a frame `spare` steps wider than the longest.
struct Prompts {
  explicit Prompts(const std::vector<Ids>& prompts, int spare = 0) {
    for (const Ids& prompt : prompts) lengths.push_back(static_cast<std::int32_t>(prompt.size()));
    steps = *std::max_element(lengths.begin(), lengths.end()) + spare;
    ids.assign(static_cast<std::size_t>(steps) * prompts.size(), 6);
    for (std::size_t b = 0; b < prompts.size(); ++b) {
      for (std::size_t t = 0; t < prompts[b].size(); ++t) {
        ids[t * prompts.size() + b] = prompts[b][t];
      }
    }
  }
  Question question(const Search& search = {}) const {
    return {{ids, lengths, steps}, 0, kEnd, kMaxSteps, search};
  }
  int steps = 0;
  Ids ids;
  Ids lengths;
};

class LanguageModel : public testing::TestWithParam<ModelCase> {
 protected:
  LanguageModel()
      : backend_(cpu_backend()),
        model_(*backend_, GetParam().shape()),
        row_(lively_row(model_.parameters(), 5)) {
    fill(model_, row_);
  }

  std::unique_ptr<Backend> backend_;
  SequenceModel model_;
  std::vector<float> row_;
  const std::vector<Ids> prompts_ = {{2, 4, 5, 6}, {2}, {2, 7}, {2}, {2, 1, 1}};
};

TEST_P(LanguageModel, GoesOnFromAPromptAsIfItWereAlone) {
  for (const int spare : {0, 3}) {
    const std::vector<Decoded> together = model_.decode(Prompts(prompts_, spare).question());
    ASSERT_EQ(together.size(), prompts_.size());
    for (std::size_t b = 0; b < prompts_.size(); ++b) {
      const Decoded alone = model_.decode(Prompts({prompts_[b]}).question()).at(0);
      EXPECT_EQ(together[b].ids, alone.ids) << "prompt " << b;
      EXPECT_NEAR(together[b].log_probability, alone.log_probability, 1e-5) << "prompt " << b;
    }
  }
}

// What it said, given as part of the prompt, is gone on from as before.
TEST_P(LanguageModel, ItsOwnAnswerAsAPromptChangesNothing) {
  const Decoded whole = model_.decode(Prompts({{2, 4, 5}}).question()).at(0);
  ASSERT_GE(whole.ids.size(), 2u);
  Ids prompt = {2, 4, 5};
  prompt.insert(prompt.end(), whole.ids.begin(), whole.ids.begin() + 2);
  const Decoded rest = model_.decode(Prompts({prompt}).question()).at(0);
  const Ids expected(whole.ids.begin() + 2, whole.ids.end());
  ASSERT_GE(rest.ids.size(), expected.size());
  EXPECT_EQ(Ids(rest.ids.begin(), rest.ids.begin() + static_cast<int>(expected.size())), expected);
}

TEST_P(LanguageModel, DoesNotLookAtASource) {
  const ToyBatch batch = toy_batch(GetParam().shape(), {}, 9);
  SequencePair without = batch.pair();
  without.source = {};
  model_.forward_backward(batch.pair(), {1, 1});
  const std::vector<float> gradients = gradients_of(model_);
  fill(model_, row_);
  model_.forward_backward(without, {1, 1});
  EXPECT_EQ(gradients_of(model_), gradients);
  EXPECT_EQ(model_.evaluate(without).loss, model_.evaluate(batch.pair()).loss);
}

TEST_P(LanguageModel, RefusesAPromptThatIsNoneWithTheReason) {
  Prompts empty({{2}, {2, 4}});
  empty.lengths[0] = 0;
  Prompts unknown({{2, 8}});
  for (const auto& [prompts, reason] :
       {std::pair(&empty, "the prompt has length 0 in sentence 0"),
        std::pair(&unknown, "the prompt has id 8 at step 1 of sentence 0")}) {
    try {
      model_.decode(prompts->question());
      ADD_FAILURE() << "accepted: " << reason;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInternal);
      EXPECT_THAT(error.what(), HasSubstr(reason));
    }
  }
}

TEST_P(LanguageModel, DrawsTheSameFromTheSameSeed) {
  const auto drawn = [&](std::uint64_t seed) {
    std::vector<Ids> answers;
    const Prompts prompts(prompts_);
    for (const Decoded& answer :
         model_.decode(prompts.question({.temperature = 2, .seed = seed}))) {
      answers.push_back(answer.ids);
    }
    return answers;
  };
  const std::vector<Ids> first = drawn(1);
  EXPECT_EQ(drawn(1), first);
  EXPECT_NE(drawn(2), first);
  EXPECT_NE(first[1], first[3]) << "two rows with one prompt draw for themselves";
}

TEST_P(LanguageModel, AnswersWithSeveralAtOnce) {
  const Prompts prompts(prompts_);
  const std::vector<Decoded> answers = model_.decode(prompts.question({.beam = 3, .best = 3}));
  ASSERT_EQ(answers.size(), 3 * prompts_.size());
  for (std::size_t b = 0; b < prompts_.size(); ++b) {
    EXPECT_GE(answers[3 * b].score, answers[3 * b + 1].score);
    EXPECT_GE(answers[3 * b + 1].score, answers[3 * b + 2].score);
    EXPECT_NE(answers[3 * b].ids, answers[3 * b + 1].ids);
  }
}

std::vector<ModelCase> language_models() {
  std::vector<ModelCase> cases = all_model_cases();
  std::erase_if(cases, [](const ModelCase& of) { return of.kind != ModelKind::kLanguage; });
  return cases;
}

INSTANTIATE_TEST_SUITE_P(EveryKind, LanguageModel, testing::ValuesIn(language_models()),
                         [](const auto& of) { return name_of(of.param); });

}  // namespace
}  // namespace traind
