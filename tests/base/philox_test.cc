#include "model/base/philox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>
#include <vector>

namespace traind {
namespace {

using testing::ElementsAre;

std::vector<std::uint32_t> words(const PhiloxBlock& block) {
  return {block.word[0], block.word[1], block.word[2], block.word[3]};
}

std::vector<std::uint32_t> first(RandomStream stream, int count) {
  std::vector<std::uint32_t> drawn;
  for (int i = 0; i < count; ++i) drawn.push_back(stream());
  return drawn;
}

// The known answers that Random123 publishes for philox4x32-10 (its kat_vectors file).
TEST(Philox, GivesThePublishedAnswers) {
  EXPECT_THAT(words(philox({{0, 0, 0, 0}}, 0)),
              ElementsAre(0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u));
  EXPECT_THAT(words(philox({{~0u, ~0u, ~0u, ~0u}}, ~std::uint64_t{0})),
              ElementsAre(0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu));
  EXPECT_THAT(words(philox({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
                           std::uint64_t{0x299f31d0a4093822})),
              ElementsAre(0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u));
}

// Resumed runs and other machines must draw what was drawn when the run began.
TEST(RandomStream, DrawsTheSameNumbersForEver) {
  EXPECT_THAT(first(RandomStream(1, RandomUse::kShuffle, 1, 0), 5),
              ElementsAre(0xec3fe71fu, 0x8882d651u, 0xf869f9e0u, 0x7ec0b5beu, 0x772cd879u));
}

TEST(RandomStream, DiffersInEveryPartOfItsName) {
  const std::set<std::vector<std::uint32_t>> streams = {
      first(RandomStream(1, RandomUse::kNoise, 2, 3), 4),
      first(RandomStream(2, RandomUse::kNoise, 2, 3), 4),
      first(RandomStream(1, RandomUse::kValidNoise, 2, 3), 4),
      first(RandomStream(1, RandomUse::kNoise, 3, 3), 4),
      first(RandomStream(1, RandomUse::kNoise, 2, 4), 4),
      first(RandomStream(1, RandomUse::kNoise, 2, 3 + (std::uint64_t{1} << 32)), 4),
      first(RandomStream(1, RandomUse::kNoise, 2 + (std::uint64_t{1} << 32), 3), 4),
      first(RandomStream(1 + (std::uint64_t{1} << 32), RandomUse::kNoise, 2, 3), 4)};
  EXPECT_EQ(streams.size(), 8u);
}

TEST(RandomStream, CopiesGoOnFromTheSamePlace) {
  RandomStream stream(9, RandomUse::kInit, 1);
  for (int i = 0; i < 6; ++i) stream();
  EXPECT_EQ(first(stream, 10), first(RandomStream(stream), 10));
}

TEST(RandomStream, DrawsBelowEveryBoundEquallyOften) {
  RandomStream stream(3, RandomUse::kShuffle);
  constexpr int kDraws = 60'000;
  std::array<int, 6> counts{};
  for (int i = 0; i < kDraws; ++i) ++counts.at(stream.below(6));
  double chi_square = 0;
  for (const int count : counts) {
    const double expected = kDraws / 6.0;
    chi_square += (count - expected) * (count - expected) / expected;
  }
  EXPECT_LT(chi_square, 20.5) << "5 degrees of freedom: 0.1 % of fair dice come here";
  EXPECT_EQ(stream.below(1), 0u);
  EXPECT_LT(stream.below(0xFFFFFFFFu), 0xFFFFFFFFu);
}

TEST(RandomStream, UniformStaysBelowOne) {
  RandomStream stream(3, RandomUse::kDropout);
  double sum = 0;
  constexpr int kDraws = 100'000;
  for (int i = 0; i < kDraws; ++i) {
    const float value = stream.uniform();
    ASSERT_GE(value, 0.0f);
    ASSERT_LT(value, 1.0f);
    sum += value;
  }
  // Standard deviation of the mean: 1 / sqrt(12 n).
  EXPECT_NEAR(sum / kDraws, 0.5, 4 / std::sqrt(12.0 * kDraws));
}

TEST(Dropout, DropsAsOftenAsAsked) {
  const std::uint32_t threshold = dropout_threshold(0.3f);
  int dropped = 0;
  constexpr int kBlocks = 25'000;
  for (int block = 0; block < kBlocks; ++block) {
    const PhiloxBlock draws = dropout_draws({7, 11, 2}, static_cast<std::uint64_t>(block));
    for (const std::uint32_t draw : draws.word) dropped += draw < threshold ? 1 : 0;
  }
  const double n = 4.0 * kBlocks;
  EXPECT_NEAR(dropped / n, 0.3, 4 * std::sqrt(0.3 * 0.7 / n));
}

TEST(Dropout, MasksDifferBySeedStepSiteAndPlace) {
  const std::set<std::vector<std::uint32_t>> masks = {
      words(dropout_draws({1, 1, 1}, 1)), words(dropout_draws({2, 1, 1}, 1)),
      words(dropout_draws({1, 2, 1}, 1)), words(dropout_draws({1, 1, 2}, 1)),
      words(dropout_draws({1, 1, 1}, 2)), words(dropout_draws({1, 1ull << 40, 1}, 1))};
  EXPECT_EQ(masks.size(), 6u);
}

}  // namespace
}  // namespace traind
