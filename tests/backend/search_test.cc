// Beam search and sampling of every device: against searches written down plainly, against all
// answers there are, and against the distribution that is drawn from.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "model/base/error.h"
#include "tests/backend/decode_case.h"

namespace traind {
namespace {

using reference::Row;

constexpr std::int32_t kEnd = DecodeModel::kEnd;

class SearchOn : public DecodeOn {};

Search beam_of(int beam, int best, float alpha = 0) {
  Search search;
  search.beam = beam;
  search.best = best;
  search.length_alpha = alpha;
  return search;
}

double score_of(const Decoded& one, double alpha) {
  const double tokens = static_cast<double>(one.ids.size()) + (one.ended ? 1 : 0);
  return one.log_probability / std::pow((5 + tokens) / 6, alpha);
}

void sort_by_score(std::vector<Decoded>& all) {
  std::ranges::stable_sort(all,
                           [](const Decoded& a, const Decoded& b) { return a.score > b.score; });
}

// Every answer of at most `steps` tokens, best first.
std::vector<Decoded> all_answers(const DecodeModel& model, int b, int steps, double alpha) {
  std::vector<Decoded> all;
  std::vector<Decoded> open(1);
  for (int i = 0; i < steps; ++i) {
    std::vector<Decoded> next;
    for (const Decoded& one : open) {
      const Row log_p = next_log_probabilities(model, true, b, one.ids);
      for (std::int32_t id = 0; id < model.words(); ++id) {
        Decoded longer = one;
        longer.log_probability += log_p[static_cast<std::size_t>(id)];
        longer.ended = id == kEnd;
        if (!longer.ended) longer.ids.push_back(id);
        (longer.ended || i + 1 == steps ? all : next).push_back(longer);
      }
    }
    open = std::move(next);
  }
  for (Decoded& one : all) one.score = score_of(one, alpha);
  sort_by_score(all);
  return all;
}

// The search as beam_search.h describes it, but on to max_steps whatever has ended.
std::vector<Decoded> search_plainly(const DecodeModel& model, bool attends, int b,
                                    const Asked& asked) {
  const Search& search = asked.search;
  std::vector<Decoded> done;
  std::vector<Decoded> live(1);
  for (int i = 0; i < asked.max_steps; ++i) {
    std::vector<Decoded> longer;
    for (const Decoded& one : live) {
      const Row log_p = next_log_probabilities(model, attends, b, one.ids);
      for (std::int32_t id = 0; id < model.words(); ++id) {
        longer.push_back(one);
        longer.back().log_probability += log_p[static_cast<std::size_t>(id)];
        longer.back().ids.push_back(id);
      }
    }
    std::ranges::stable_sort(longer, [](const Decoded& x, const Decoded& y) {
      return x.log_probability > y.log_probability;
    });
    longer.resize(std::min(longer.size(), static_cast<std::size_t>(search.beam)));
    live.clear();
    for (Decoded& one : longer) {
      one.ended = one.ids.back() == kEnd;
      if (one.ended) one.ids.pop_back();
      (one.ended ? done : live).push_back(one);
    }
  }
  done.insert(done.end(), live.begin(), live.end());
  for (Decoded& one : done) one.score = score_of(one, search.length_alpha);
  sort_by_score(done);
  done.resize(static_cast<std::size_t>(search.best));
  return done;
}

void expect_same(const Decoded& actual, const Decoded& expected) {
  EXPECT_EQ(actual.ids, expected.ids);
  EXPECT_EQ(actual.ended, expected.ended);
  EXPECT_NEAR(actual.log_probability, expected.log_probability, 1e-4);
  EXPECT_NEAR(actual.score, expected.score, 1e-4);
}

// 4 words and 4 steps have 27 hypotheses before the last step, fewer than the beam.
TEST_P(SearchOn, ABeamAsWideAsEverythingFindsTheBestOfAllAnswers) {
  const DecodeModel model = model_of(4);
  for (const float alpha : {0.0f, 0.9f}) {
    const std::vector<Decoded> actual = decode(model, {true, 4, beam_of(kMostBeam, 20, alpha)});
    ASSERT_EQ(actual.size(), std::size_t{20} * DecodeModel::kBatch);
    for (int b = 0; b < DecodeModel::kBatch; ++b) {
      const std::vector<Decoded> expected = all_answers(model, b, 4, alpha);
      for (std::size_t k = 0; k < 20; ++k) {
        SCOPED_TRACE("sentence " + std::to_string(b) + ", answer " + std::to_string(k));
        expect_same(actual[static_cast<std::size_t>(b) * 20 + k], expected[k]);
      }
    }
  }
}

TEST_P(SearchOn, FindsWhatASearchThatNeverStopsEarlyFinds) {
  DecodeModel model = model_of();
  model.bias(kEnd) = 0.5;
  for (const bool attends : {false, true}) {
    for (const float alpha : {0.0f, 0.6f, 2.0f}) {
      for (const int best : {1, 3}) {
        const Asked asked{attends, 12, beam_of(3, best, alpha)};
        const std::vector<Decoded> actual = decode(model, asked);
        for (int b = 0; b < DecodeModel::kBatch; ++b) {
          const std::vector<Decoded> expected = search_plainly(model, attends, b, asked);
          for (std::size_t k = 0; k < expected.size(); ++k) {
            SCOPED_TRACE("alpha " + std::to_string(alpha) + ", sentence " + std::to_string(b) +
                         ", answer " + std::to_string(k) + " of " + std::to_string(best));
            expect_same(actual[static_cast<std::size_t>(b) * expected.size() + k], expected[k]);
          }
        }
      }
    }
  }
}

TEST_P(SearchOn, AnswersAreSortedAndAsLikelyAsTheySay) {
  const DecodeModel model = model_of();
  const std::vector<Decoded> actual = decode(model, {true, 12, beam_of(5, 5, 0.7f)});
  ASSERT_EQ(actual.size(), std::size_t{5} * DecodeModel::kBatch);
  for (std::size_t row = 0; row < actual.size(); ++row) {
    const Decoded& one = actual[row];
    const double expected = log_probability_of(model, true, static_cast<int>(row / 5), one);
    EXPECT_NEAR(one.log_probability, expected, 1e-4) << row;
    EXPECT_NEAR(one.score, score_of(one, 0.7f), 1e-9) << row;
    EXPECT_LE(one.score, row % 5 > 0 ? actual[row - 1].score : 0) << row;
  }
}

TEST_P(SearchOn, ASentenceHasTheAnswersThatItHasAlone) {
  const DecodeModel model = model_of();
  for (const int beam : {1, 4}) {
    Asked asked{true, 12, beam_of(beam, beam, 0.5f)};
    const std::vector<Decoded> together = decode(model, asked);
    for (int b = 0; b < DecodeModel::kBatch; ++b) {
      asked.sentences = {b};
      const std::vector<Decoded> alone = decode(model, asked);
      ASSERT_EQ(alone.size(), static_cast<std::size_t>(beam));
      for (std::size_t k = 0; k < alone.size(); ++k) {
        expect_same(together[static_cast<std::size_t>(b) * alone.size() + k], alone[k]);
      }
    }
  }
}

// All tokens are equally likely: of equals the lower hypothesis and the lower id come first.
TEST_P(SearchOn, EqualsComeInTheOrderOfHypothesisAndId) {
  DecodeModel model = model_of();
  std::ranges::fill(model.output, 0);
  const std::vector<Decoded> actual = decode(model, {false, 2, beam_of(4, 4)});
  using Ids = std::vector<std::int32_t>;
  for (std::size_t row = 0; row < actual.size(); row += 4) {
    EXPECT_EQ(actual[row].ids, Ids{}) << "the end mark, one step earlier";
    EXPECT_EQ(actual[row + 1].ids, Ids{0}) << "the end mark, ended before what lives on";
    EXPECT_EQ(actual[row + 2].ids, (Ids{0, 0}));
    EXPECT_EQ(actual[row + 3].ids, (Ids{0, 1}));
  }
}

TEST_P(SearchOn, PlacesThatNoAnswerFillsSaySo) {
  const DecodeModel model = model_of(4);
  const std::vector<Decoded> actual = decode(model, {false, 1, beam_of(8, 6)});
  for (std::size_t row = 0; row < actual.size(); ++row) {
    const bool filled = row % 6 < 4;
    EXPECT_EQ(std::isfinite(actual[row].score), filled) << row;
    EXPECT_EQ(std::isfinite(actual[row].log_probability), filled) << row;
    EXPECT_TRUE(filled || actual[row].ids.empty()) << row;
  }
}

TEST_P(SearchOn, ADivergedModelStillAnswers) {
  DecodeModel model = model_of();
  model.bias(4) = std::numeric_limits<double>::quiet_NaN();
  for (const Decoded& row : decode(model, {false, 3, beam_of(3, 3)})) {
    EXPECT_FALSE(row.log_probability > -1e300);
    for (const std::int32_t id : row.ids) EXPECT_LT(id, model.words());
  }
}

Search sampling(float temperature, std::uint64_t seed) {
  Search search;
  search.temperature = temperature;
  search.seed = seed;
  return search;
}

// Pearson's statistic of counts against probabilities; far below it with the chance given.
double chi_square(const std::map<std::vector<std::int32_t>, double>& expected,
                  std::map<std::vector<std::int32_t>, double>& counts, double total) {
  double sum = 0;
  for (const auto& [what, probability] : expected) {
    const double off = counts[what] - probability * total;
    sum += off * off / (probability * total);
  }
  return sum;
}

// Logits that depend on nothing, so that every token of every row is one draw from the same.
struct Dice {
  DecodeModel model;
  Row probabilities;

  Dice(const DecodeModel& like, double temperature) : model(like) {
    std::ranges::fill(model.output, 0);
    const Row logits = {0.3, 1.1, -40, -0.5};  // the end mark never comes
    double whole = 0;
    for (std::int32_t id = 0; id < 4; ++id) {
      model.bias(id) = logits[static_cast<std::size_t>(id)];
      probabilities.push_back(std::exp(logits[static_cast<std::size_t>(id)] / temperature));
      whole += probabilities.back();
    }
    for (double& one : probabilities) one /= whole;
  }
};

// 3 and 9 outcomes: 2 and 8 degrees of freedom, which pass 13.8 and 26.1 once in a thousand times.
TEST_P(SearchOn, SamplesHaveTheDistributionAndDoNotDependOnEachOther) {
  constexpr int kSteps = 200;
  for (const float temperature : {1.0f, 0.5f, 2.0f}) {
    SCOPED_TRACE(temperature);
    const Dice dice(model_of(4), temperature);
    std::map<std::vector<std::int32_t>, double> expected_one, expected_two, ones, steps, rows;
    for (const std::int32_t first : {0, 1, 3}) {
      const double p = dice.probabilities[static_cast<std::size_t>(first)];
      expected_one[{first}] = p;
      for (const std::int32_t second : {0, 1, 3}) {
        expected_two[{first, second}] = p * dice.probabilities[static_cast<std::size_t>(second)];
      }
    }
    const std::vector<Decoded> drawn =
        decode(dice.model, {false, kSteps, sampling(temperature, 11)});
    for (std::size_t b = 0; b < drawn.size(); ++b) {
      ASSERT_EQ(drawn[b].ids.size(), std::size_t{kSteps});
      for (std::size_t i = 0; i < kSteps; ++i) {
        ++ones[{drawn[b].ids[i]}];
        if (i > 0) ++steps[{drawn[b].ids[i - 1], drawn[b].ids[i]}];
        if (b > 0) ++rows[{drawn[b - 1].ids[i], drawn[b].ids[i]}];
      }
    }
    const double batch = DecodeModel::kBatch;
    EXPECT_LT(chi_square(expected_one, ones, batch * kSteps), 13.8);
    EXPECT_LT(chi_square(expected_two, steps, batch * (kSteps - 1)), 26.1);
    EXPECT_LT(chi_square(expected_two, rows, (batch - 1) * kSteps), 26.1);
  }
}

TEST_P(SearchOn, SamplesRepeatBySeedRowAndStepAndSayHowLikelyTheyAre) {
  const DecodeModel model = model_of();
  Asked asked{true, 20, sampling(1.5f, 5)};
  const std::vector<Decoded> once = decode(model, asked);
  const std::vector<Decoded> again = decode(model, asked);
  asked.search.seed = 6;
  const std::vector<Decoded> other = decode(model, asked);
  bool differ = false;
  for (std::size_t b = 0; b < once.size(); ++b) {
    EXPECT_EQ(once[b].ids, again[b].ids);
    EXPECT_EQ(once[b].log_probability, again[b].log_probability);
    EXPECT_NEAR(once[b].log_probability,
                log_probability_of(model, true, static_cast<int>(b), once[b]), 1e-3)
        << "without the temperature";
    differ = differ || once[b].ids != other[b].ids;
  }
  EXPECT_TRUE(differ);
  asked.search.seed = 5;
  asked.sentences = {0, 3};
  EXPECT_EQ(decode(model, asked)[0].ids, once[0].ids) << "whatever else is in the batch";
}

TEST_P(SearchOn, ALowTemperatureIsGreedy) {
  const DecodeModel model = model_of();
  const std::vector<Decoded> greedy = decode(model, {});
  const std::vector<Decoded> cold = decode(model, {false, 12, sampling(1e-4f, 3)});
  for (std::size_t b = 0; b < greedy.size(); ++b) expect_same(cold[b], greedy[b]);
}

TEST_P(SearchOn, RefusesSearchesThatMakeNoSense) {
  const DecodeModel model = model_of();
  const auto refuses = [&](const Search& search) {
    EXPECT_THROW(decode(model, {false, 3, search}), Error);
  };
  refuses(beam_of(0, 1));
  refuses(beam_of(kMostBeam + 1, 1));
  refuses(beam_of(4, 0));
  refuses(beam_of(4, 5));
  refuses(beam_of(4, 1, -0.5f));
  refuses(beam_of(4, 1, std::numeric_limits<float>::infinity()));
  refuses(sampling(-1, 0));
  Search both = sampling(1, 0);
  both.beam = 2;
  refuses(both);
}

INSTANTIATE_TEST_SUITE_P(Devices, SearchOn, testing::ValuesIn(decode_cases()), name_of_case);

}  // namespace
}  // namespace traind
