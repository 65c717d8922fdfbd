// The bookkeeping of beam search apart from any device: when it is over.
#include "model/backend/beam_search.h"

#include <gtest/gtest.h>

#include <cmath>

namespace traind {
namespace {

constexpr std::int32_t kEnd = 9;

struct Call {
  std::vector<std::int32_t> begin;
  DecodeCall call;

  explicit Call(std::size_t batch, const Search& search) : begin(batch, 1) {
    call.begin = begin;
    call.end = kEnd;
    call.max_steps = 100;
    call.search = search;
    call.output.bias.size = 10;
  }
};

Candidate candidate(std::int32_t id, double log_probability) { return {log_probability, id, 0}; }

TEST(BeamSearch, IsOverWhenNoLiveHypothesisCanWinAnyMore) {
  const Call one(1, {2, 1});
  BeamSearch search(one.call);
  EXPECT_EQ(search.width(), 1);
  search.advance(std::vector<Candidate>{candidate(kEnd, -0.5), candidate(3, -1)});
  EXPECT_TRUE(search.over());
  const std::vector<Decoded> result = search.result();
  ASSERT_EQ(result.size(), 1u);
  EXPECT_TRUE(result[0].ids.empty());
  EXPECT_EQ(result[0].log_probability, -0.5);
}

// Divided by 17.5 at 100 tokens, -1 is above -0.5; -30 is not.
TEST(BeamSearch, GoesOnAsLongAsALongerAnswerCouldScoreHigher) {
  const Call one(1, {2, 1, 1});
  BeamSearch search(one.call);
  search.advance(std::vector<Candidate>{candidate(kEnd, -0.5), candidate(3, -1)});
  EXPECT_FALSE(search.over());
  search.advance(std::vector<Candidate>{candidate(4, -29), candidate(5, -29.5)});
  EXPECT_TRUE(search.over());
}

TEST(BeamSearch, WaitsForAsManyAnswersAsAreAskedFor) {
  const Call one(1, {2, 2});
  BeamSearch search(one.call);
  search.advance(std::vector<Candidate>{candidate(kEnd, -0.5), candidate(3, -90)});
  EXPECT_FALSE(search.over());
  search.advance(std::vector<Candidate>{candidate(kEnd, -1), candidate(3, -2)});
  EXPECT_TRUE(search.over());
  EXPECT_EQ(search.result()[1].ids, std::vector<std::int32_t>{3});
}

// Rows of two sentences: 0 and 1 are their first hypotheses, 2 and 3 their second ones.
TEST(BeamSearch, RowsGoOnFromTheHypothesisThatWasChosen) {
  const Call two(2, {2, 1});
  BeamSearch search(two.call);
  search.advance(std::vector<Candidate>{candidate(3, -1), candidate(4, -2), candidate(5, -1),
                                        candidate(6, -2)});
  EXPECT_EQ(search.width(), 2);
  EXPECT_TRUE(std::ranges::equal(search.ids(), std::vector<std::int32_t>{3, 5, 4, 6}));
  EXPECT_TRUE(std::ranges::equal(search.parents(), std::vector<std::int32_t>{0, 1, 0, 1}));
  // Of the first sentence the second hypothesis is chosen twice, of the other one each.
  search.advance(std::vector<Candidate>{candidate(3, -9), candidate(4, -9), candidate(5, -1),
                                        candidate(6, -8), candidate(7, -1), candidate(8, -2),
                                        candidate(7, -1), candidate(8, -8)});
  EXPECT_TRUE(std::ranges::equal(search.ids(), std::vector<std::int32_t>{7, 5, 8, 7}));
  EXPECT_TRUE(std::ranges::equal(search.parents(), std::vector<std::int32_t>{2, 1, 2, 3}));
}

TEST(BeamSearch, AnEndedHypothesisLeavesItsPlaceToOthers) {
  const Call one(1, {2, 2});
  BeamSearch search(one.call);
  search.advance(std::vector<Candidate>{candidate(kEnd, -1), candidate(3, -1.5)});
  EXPECT_EQ(search.width(), 1);
  search.advance(std::vector<Candidate>{candidate(4, -0.1), candidate(5, -0.2)});
  EXPECT_EQ(search.width(), 2);
}

}  // namespace
}  // namespace traind
