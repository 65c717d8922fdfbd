#include "model/base/xxh64.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace traind {
namespace {

std::string hash_of(const std::string& text) { return hex64(xxh64(text.data(), text.size())); }

// Bytes 3, 10, 17, ... modulo 256.
std::string pattern(int size) {
  std::string text;
  for (int i = 0; i < size; ++i) text += static_cast<char>((i * 7 + 3) & 255);
  return text;
}

// Expected values printed by `xxhsum -H64` 0.8.1 for the same bytes.
TEST(Xxh64, AgreesWithXxhsum) {
  EXPECT_EQ(hash_of(""), "ef46db3751d8e999");
  EXPECT_EQ(hash_of("a"), "d24ec4f1a98c6e5b");
  EXPECT_EQ(hash_of("abc"), "44bc2cf5ad770999");
  EXPECT_EQ(hash_of("The quick brown fox jumps over the lazy dog"), "0b242d361fda71bc");
}

TEST(Xxh64, AgreesWithXxhsumAtEveryEdgeOfItsBlocks) {
  EXPECT_EQ(hash_of(pattern(4)), "9bb64b7d66ee9fda");
  EXPECT_EQ(hash_of(pattern(8)), "dab99d95c6f90092");
  EXPECT_EQ(hash_of(pattern(31)), "a2aa5f33cc4a6119");
  EXPECT_EQ(hash_of(pattern(32)), "23c3c17ef790fd97");
  EXPECT_EQ(hash_of(pattern(33)), "50a7cfc7ba588784");
  EXPECT_EQ(hash_of(pattern(63)), "5e3e54b431c7493c");
  EXPECT_EQ(hash_of(pattern(64)), "0eb64b3ef6eeb01f");
  EXPECT_EQ(hash_of(pattern(100)), "a61f8d4c170fe531");
  EXPECT_EQ(hash_of(pattern(1000)), "5f235fa033f1a3fb");
}

TEST(Xxh64, DoesNotDependOnHowTheBytesArrive) {
  const std::string text = pattern(1000);
  for (const std::size_t step : {1, 3, 7, 31, 32, 33, 64, 999}) {
    Xxh64 hash;
    for (std::size_t at = 0; at < text.size(); at += step) {
      hash.update(text.data() + at, std::min(step, text.size() - at));
    }
    EXPECT_EQ(hash.digest(), xxh64(text.data(), text.size())) << step << " bytes at a time";
  }
}

TEST(Xxh64, GoesOnAfterADigest) {
  Xxh64 hash;
  hash.update("The quick brown fox ", 20);
  EXPECT_NE(hex64(hash.digest()), "0b242d361fda71bc");
  hash.update("jumps over the lazy dog", 23);
  EXPECT_EQ(hex64(hash.digest()), "0b242d361fda71bc");
}

TEST(Xxh64, ChangesWithEveryFlippedBit) {
  std::string text = pattern(70);
  const std::string before = hash_of(text);
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
    EXPECT_NE(hash_of(text), before) << "bit " << bit;
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
  }
}

TEST(Xxh64, TakesNothingFromNowhere) {
  Xxh64 hash;
  hash.update(nullptr, 0);
  hash.update("a", 1);
  hash.update(nullptr, 0);
  EXPECT_EQ(hash.digest(), xxh64("a", 1));
}

TEST(Xxh64, SeedMatters) { EXPECT_NE(xxh64("abc", 3, 1), xxh64("abc", 3, 0)); }

TEST(Hex64, WritesAllSixteenDigits) {
  EXPECT_EQ(hex64(0), "0000000000000000");
  EXPECT_EQ(hex64(0x00ABCDEF12345678u), "00abcdef12345678");
}

}  // namespace
}  // namespace traind
