#include "model/data/noise.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "model/data/vocabulary.h"

namespace traind {
namespace {

const std::vector<std::string> kLetters = {"a", "b", "c", "d", "é", "漢"};
constexpr int kDraws = 20'000;

NoiseSection edits(int min, int max, double lines = 1) {
  NoiseSection noise;
  noise.lines = lines;
  noise.min_edits = min;
  noise.max_edits = max;
  return noise;
}

std::string noisy(const std::string& clean, const NoiseSection& settings, int line,
                  const NoiseAlphabet& alphabet = kLetters) {
  return add_noise(clean, settings, alphabet,
                   RandomStream(5, RandomUse::kNoise, 0, static_cast<std::uint64_t>(line)));
}

std::int64_t length(const std::string& text) { return count_tokens(text, TokenKind::kCharacters); }

// Within four standard deviations of a binomial share.
void expect_share(int count, int draws, double expected, const std::string& what) {
  EXPECT_NEAR(static_cast<double>(count) / draws, expected,
              4 * std::sqrt(expected * (1 - expected) / draws))
      << what;
}

TEST(Noise, IsTheSameForTheSameStream) {
  for (int line = 0; line < 100; ++line) {
    EXPECT_EQ(noisy("xylophone", edits(1, 3), line), noisy("xylophone", edits(1, 3), line));
  }
}

// Noise is part of a run: another build must make the same mistakes.
TEST(Noise, MakesTheSameMistakesForEver) {
  std::string made;
  for (int line = 0; line < 8; ++line) made += noisy("xylophone", edits(1, 2), line) + " ";
  EXPECT_EQ(made,
            "xylopcoae xylopohne axylophone xylophoneé xylochone xylophon xylophobne ylophone ");
}

TEST(Noise, LeavesTheStatedShareOfLinesClean) {
  int changed = 0;
  for (int line = 0; line < kDraws; ++line) {
    changed += noisy("xylophone", edits(1, 1, 0.8), line) != "xylophone" ? 1 : 0;
  }
  expect_share(changed, kDraws, 0.8, "changed lines");
  for (int line = 0; line < 1'000; ++line) {
    EXPECT_EQ(noisy("xylophone", edits(1, 1, 0), line), "xylophone");
    EXPECT_NE(noisy("xylophone", edits(1, 1, 1), line), "xylophone");
  }
}

// The four kinds leave traces that cannot be confused in a text of distinct characters that the
// alphabet does not hold.
TEST(Noise, MakesEveryKindOfEditEquallyOften) {
  const std::string clean = "xylophne";
  std::map<std::string, int> kinds;
  for (int line = 0; line < kDraws; ++line) {
    const std::string text = noisy(clean, edits(1, 1), line);
    std::string a = text;
    std::string b = clean;
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    if (length(text) < length(clean)) {
      ++kinds["delete"];
    } else if (length(text) > length(clean)) {
      ++kinds["insert"];
    } else {
      ++kinds[a == b ? "swap" : "replace"];
    }
  }
  EXPECT_EQ(kinds.size(), 4u);
  for (const auto& [kind, count] : kinds) expect_share(count, kDraws, 0.25, kind);
}

TEST(Noise, HitsEveryPlaceEquallyOften) {
  std::map<std::string, int> deleted;
  int deletions = 0;
  for (int line = 0; line < kDraws; ++line) {
    const std::string text = noisy("vwxyz", edits(1, 1), line);
    if (length(text) != 4) continue;
    ++deletions;
    ++deleted[text];
  }
  EXPECT_EQ(deleted.size(), 5u);
  for (const auto& [text, count] : deleted) expect_share(count, deletions, 0.2, text);
}

TEST(Noise, DrawsEveryCharacterOfTheAlphabetEquallyOften) {
  std::map<std::string, int> inserted;
  int insertions = 0;
  for (int line = 0; line < kDraws; ++line) {
    const std::string text = noisy("xyz", edits(1, 1), line);
    if (length(text) != 4) continue;
    ++insertions;
    for (const std::string& letter : kLetters) {
      if (text.find(letter) != std::string::npos) ++inserted[letter];
    }
  }
  EXPECT_EQ(inserted.size(), kLetters.size());
  for (const auto& [letter, count] : inserted) {
    expect_share(count, insertions, 1.0 / static_cast<double>(kLetters.size()), letter);
  }
}

TEST(Noise, DrawsFrequentCharactersMoreOften) {
  const NoiseAlphabet alphabet({"a", "b", "c"}, {6'000'000'000, 3'000'000'000, 1'000'000'000});
  std::map<std::string, int> drawn;
  std::map<std::string, int> others;
  RandomStream random(5, RandomUse::kNoise);
  for (int i = 0; i < kDraws; ++i) {
    ++drawn[std::string(alphabet.draw(random))];
    ++others[std::string(alphabet.draw_other("b", random))];
  }
  expect_share(drawn["a"], kDraws, 0.6, "a");
  expect_share(drawn["b"], kDraws, 0.3, "b");
  expect_share(drawn["c"], kDraws, 0.1, "c");
  EXPECT_EQ(others.count("b"), 0u);
  expect_share(others["a"], kDraws, 6.0 / 7, "a instead of b");
}

// With one letter in text and alphabet only insertions and deletions change anything, and a text of
// one letter cannot lose it. So one edit makes two letters; two make one or three; three make two
// (3 in 4) or four (1 in 4).
TEST(Noise, DrawsTheNumberOfEditsUniformly) {
  std::map<std::int64_t, int> lengths;
  for (int line = 0; line < kDraws; ++line) {
    ++lengths[length(noisy("x", edits(1, 3), line, NoiseAlphabet({"x"})))];
  }
  EXPECT_EQ(lengths.size(), 4u);
  expect_share(lengths[1], kDraws, 1.0 / 6, "one letter");
  expect_share(lengths[2], kDraws, 7.0 / 12, "two letters");
  expect_share(lengths[3], kDraws, 1.0 / 6, "three letters");
  expect_share(lengths[4], kDraws, 1.0 / 12, "four letters");
}

TEST(Noise, EditsPerCharacterAreBinomial) {
  NoiseSection settings;
  settings.per_character = 0.1;
  settings.lines = 0;  // not asked
  int unchanged = 0;
  const std::string clean = "vwxyzVWXYZ";
  for (int line = 0; line < kDraws; ++line) unchanged += noisy(clean, settings, line) == clean;
  // No edit has probability 0.9^10 = 0.3487; that several cancel out adds less than 0.004.
  const double none = std::pow(0.9, 10);
  EXPECT_GT(unchanged, (none - 4 * std::sqrt(none * (1 - none) / kDraws)) * kDraws);
  EXPECT_LT(unchanged, (none + 0.004 + 4 * std::sqrt(none * (1 - none) / kDraws)) * kDraws);
}

TEST(Noise, EverySingleEditChangesTheText) {
  for (const std::string clean : {"a", "aa", "aab", "aaaaaaaa", "漢", "é漢"}) {
    for (int line = 0; line < 500; ++line) {
      EXPECT_NE(noisy(clean, edits(1, 1), line), clean);
    }
  }
}

TEST(Noise, NeverEmptiesATextAndStaysUtf8) {
  for (int line = 0; line < 5'000; ++line) {
    const std::string text = noisy("漢é", edits(5, 9), line);
    ASSERT_FALSE(text.empty());
    for (const std::string_view character : split_tokens(text, TokenKind::kCharacters)) {
      EXPECT_NE(std::find(kLetters.begin(), kLetters.end(), character), kLetters.end());
    }
  }
}

TEST(Noise, LeavesATextAloneThatNothingCanChange) {
  EXPECT_EQ(noisy("x", edits(3, 3), 0, NoiseAlphabet()), "x");
}

TEST(Noise, KeepsSwappingWhereOnlySwapsAreLeft) {
  std::set<std::string> made;
  for (int line = 0; line < 200; ++line)
    made.insert(noisy("ab", edits(1, 1), line, NoiseAlphabet()));
  EXPECT_EQ(made, (std::set<std::string>{"a", "b", "ba"}));
}

}  // namespace
}  // namespace traind
