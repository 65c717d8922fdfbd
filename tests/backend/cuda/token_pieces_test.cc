#include "model/backend/cuda/token_pieces.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "tests/backend/reference.h"

namespace traind::cuda {
namespace {

void expect_whole(const TokenPieces& tokens, const reference::Batch& batch, int steps, int words) {
  std::set<std::int32_t> seen;
  for (int w = 0; w < tokens.words(); ++w) {
    for (std::int32_t piece = tokens.firsts[w]; piece < tokens.firsts[w + 1]; ++piece) {
      const std::int32_t size = tokens.starts[piece + 1] - tokens.starts[piece];
      EXPECT_GE(size, 1);
      EXPECT_LE(size, TokenPieces::kLongest);
      for (std::int32_t i = tokens.starts[piece]; i < tokens.starts[piece + 1]; ++i) {
        EXPECT_EQ(batch.ids[tokens.places[i]], tokens.ids[w]);
        EXPECT_TRUE(seen.insert(tokens.places[i]).second) << "twice";
      }
    }
  }
  const std::int32_t true_steps = std::accumulate(batch.lengths.begin(), batch.lengths.end(), 0);
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(true_steps));
  const std::size_t places = static_cast<std::size_t>(steps) * batch.lengths.size();
  EXPECT_LE(tokens.pieces(), most_pieces(places, words));
  EXPECT_LE(tokens.words(), most_words(places, words));
  EXPECT_TRUE(std::ranges::is_sorted(tokens.ids));
}

TEST(TokenPieces, HoldEveryTrueStepOnceUnderItsToken) {
  for (const int words : {1, 3, 40, 5000}) {
    for (const bool ragged : {false, true}) {
      const auto batch = reference::batch_of(19, 23, words, ragged, 5);
      expect_whole(token_pieces(batch.ids, batch.lengths, words), batch, 19, words);
    }
  }
}

TEST(TokenPieces, CutWhatOccursOftenIntoPieces) {
  const reference::Batch batch{std::vector<std::int32_t>(100, 2), {100}};
  const TokenPieces tokens = token_pieces(batch.ids, batch.lengths, 4);
  EXPECT_EQ(tokens.words(), 1);
  EXPECT_EQ(tokens.pieces(), 4) << "32 + 32 + 32 + 4";
  expect_whole(tokens, batch, 100, 4);
}

}  // namespace
}  // namespace traind::cuda
