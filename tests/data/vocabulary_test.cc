#include "model/data/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "model/base/error.h"
#include "model/data/token_counter.h"
#include "model/data/utf8.h"

namespace traind {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr TokenKind kChars = TokenKind::kCharacters;
constexpr TokenKind kWords = TokenKind::kWords;

Vocabulary count(TokenKind kind, const std::vector<std::string>& lines, std::int64_t limit = 0) {
  TokenCounter counter(kind);
  for (const std::string& line : lines) counter.add(line);
  return counter.vocabulary(limit);
}

ErrorKind kind_of_error(const std::string& text) {
  try {
    vocabulary_from_text(text);
  } catch (const Error& error) {
    return error.kind();
  }
  return ErrorKind::kInternal;
}

TEST(SplitTokens, CutsCharactersAtCodePoints) {
  EXPECT_THAT(split_tokens("aé漢😀", kChars), ElementsAre("a", "é", "漢", "😀"));
  EXPECT_THAT(split_tokens("", kChars), IsEmpty());
}

TEST(SplitTokens, CutsWordsAtRunsOfWhiteSpace) {
  EXPECT_THAT(split_tokens("  one\ttwo   three ", kWords), ElementsAre("one", "two", "three"));
  EXPECT_THAT(split_tokens("one\r\ntwo", kWords), ElementsAre("one", "two"));
  EXPECT_THAT(split_tokens("a\xC2\xA0z", kWords), ElementsAre("a\xC2\xA0z"));
  EXPECT_THAT(split_tokens("   ", kWords), IsEmpty());
}

TEST(SplitTokens, TakesAnInvalidByteAsAToken) {
  EXPECT_THAT(split_tokens("a\xFFz\xE2", kChars), ElementsAre("a", "\xFF", "z", "\xE2"));
}

TEST(CountTokens, AgreesWithSplitTokens) {
  for (const std::string text : {"", " ", "one", " one  two", "漢字 é\t.", "\xFF\xFE x"}) {
    for (const TokenKind kind : {kChars, kWords}) {
      EXPECT_EQ(count_tokens(text, kind),
                static_cast<std::int64_t>(split_tokens(text, kind).size()));
    }
  }
}

TEST(Vocabulary, OrdersByFrequencyThenByCodePoint) {
  EXPECT_THAT(count(kChars, {"zza", "éb漢", "zb"}).tokens(), ElementsAre("z", "b", "a", "é", "漢"));
  EXPECT_THAT(count(kWords, {"the cat", "a cat the", "the b"}).tokens(),
              ElementsAre("the", "cat", "a", "b"));
}

// U+FF5E is EF BD 9E and U+1F600 is F0 9F 98 80; as UTF-16 they would stand the other way round.
TEST(Vocabulary, OrdersTiesAboveTheBasicPlaneToo) {
  EXPECT_THAT(count(kChars, {"😀\xEF\xBD\x9E"}).tokens(), ElementsAre("\xEF\xBD\x9E", "😀"));
  EXPECT_THAT(count(kWords, {"😀 \xEF\xBD\x9E"}).tokens(), ElementsAre("\xEF\xBD\x9E", "😀"));
}

TEST(Vocabulary, KeepsOnlyTheMostFrequent) {
  const Vocabulary vocabulary = count(kChars, {"aaabbc"}, 2);
  EXPECT_THAT(vocabulary.tokens(), ElementsAre("a", "b"));
  EXPECT_EQ(vocabulary.size(), 6);
  EXPECT_THAT(vocabulary.encode("abc"), ElementsAre(4, 5, kUnknownId));
}

TEST(Vocabulary, DoesNotDependOnTheOrderOfTheLines) {
  EXPECT_EQ(to_text(count(kWords, {"a b c", "d e f a"})),
            to_text(count(kWords, {"d e f a", "c b a"})));
}

TEST(Vocabulary, DecodesWhatItEncoded) {
  const std::string text = "Ein Häuschen, 漢字 und 😀!";
  const Vocabulary characters = count(kChars, {text});
  EXPECT_EQ(characters.decode(characters.encode(text)), text);
  const Vocabulary words = count(kWords, {text});
  EXPECT_EQ(words.decode(words.encode("  und\t Ein 😀!")), "und Ein 😀!");
}

TEST(Vocabulary, DecodesMarksToNothingAndUnknownToTheReplacement) {
  const Vocabulary characters(kChars, {"a", "b"});
  EXPECT_EQ(characters.decode({kBeginId, 4, kUnknownId, 5, kEndId, kPadId}),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(characters.decode({99, -1}), "\xEF\xBF\xBD\xEF\xBF\xBD");
  const Vocabulary words(kWords, {"a", "b"});
  EXPECT_EQ(words.decode({kBeginId, 4, kUnknownId, 5, kEndId}), "a \xEF\xBF\xBD b");
  EXPECT_EQ(words.decode({}), "");
}

TEST(Vocabulary, EncodesInvalidBytesAsUnknown) {
  EXPECT_THAT(Vocabulary(kChars, {"a"}).encode("a\xFF"), ElementsAre(4, kUnknownId));
}

TEST(Vocabulary, RefusesTokensThatCannotBe) {
  EXPECT_THROW(Vocabulary(kChars, {"a", "a"}), Error);
  EXPECT_THROW(Vocabulary(kWords, {"one", "one"}), Error);
  EXPECT_THROW(Vocabulary(kChars, {"ab"}), Error);
  EXPECT_THROW(Vocabulary(kChars, {""}), Error);
  EXPECT_THROW(Vocabulary(kChars, {"\xFF"}), Error);
  EXPECT_THROW(Vocabulary(kWords, {""}), Error);
  EXPECT_THROW(Vocabulary(kWords, {"two words"}), Error);
}

TEST(Vocabulary, StaysUsableAfterItsOriginalIsGone) {
  auto original = std::make_unique<Vocabulary>(kWords, std::vector<std::string>{"one", "two"});
  const Vocabulary copy = *original;
  original.reset();
  EXPECT_THAT(copy.encode("two one"), ElementsAre(5, 4));
}

TEST(VocabularyText, RoundTripsAnyToken) {
  std::vector<std::string> characters;
  for (char32_t value = 0; value < 0x3000; ++value) {
    append_utf8(characters.emplace_back(), value);
  }
  const Vocabulary all(kChars, characters);
  const Vocabulary back = vocabulary_from_text(to_text(all));
  EXPECT_EQ(back.kind(), kChars);
  EXPECT_EQ(back.tokens(), all.tokens());

  const Vocabulary words(kWords, {"\\n", "\\", "a\\\\b", "\xEF\xBF\xBD", "words"});
  EXPECT_EQ(vocabulary_from_text(to_text(words)).tokens(), words.tokens());
  EXPECT_EQ(vocabulary_from_text(to_text(words)).kind(), kWords);
}

TEST(VocabularyText, HoldsAnEmptyVocabulary) {
  EXPECT_EQ(vocabulary_from_text(to_text(Vocabulary(kWords, {}))).size(), kFirstTokenId);
}

TEST(VocabularyText, RefusesDamage) {
  EXPECT_EQ(kind_of_error(""), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_of_error("letters\na\n"), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_of_error("characters\na\nb"), ErrorKind::kCorrupt) << "cut off";
  EXPECT_EQ(kind_of_error("characters\na\na\n"), ErrorKind::kCorrupt) << "twice";
  EXPECT_EQ(kind_of_error("characters\nab\n"), ErrorKind::kCorrupt) << "two in a line";
  EXPECT_EQ(kind_of_error("characters\n\n"), ErrorKind::kCorrupt) << "empty";
  EXPECT_EQ(kind_of_error("words\na\\x\n"), ErrorKind::kCorrupt) << "unknown escape";
  EXPECT_EQ(kind_of_error("words\na\\\n"), ErrorKind::kCorrupt) << "open escape";
}

TEST(VocabularyText, SurvivesRandomBytes) {
  std::mt19937 random(1);
  for (int round = 0; round < 2'000; ++round) {
    std::string text = round % 2 == 0 ? "words\n" : "characters\n";
    for (std::size_t i = random() % 40; i > 0; --i) text += static_cast<char>(random());
    if (round % 3 == 0) text += '\n';
    try {
      const Vocabulary vocabulary = vocabulary_from_text(text);
      EXPECT_EQ(to_text(vocabulary), text);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    }
  }
}

TEST(TokenCounter, ForgetsTheRarestWhenTheTableIsFull) {
  TokenCounter counter(kWords, 100);
  for (int i = 0; i < 1'000; ++i) {
    counter.add("often also" + std::string(i % 2 == 0 ? " half" : "") + " once" +
                std::to_string(i));
  }
  const Vocabulary kept = counter.vocabulary(0);
  EXPECT_THAT(count(kWords, {kept.tokens()[0]}).tokens(), ElementsAre("also"));
  EXPECT_THAT(std::vector(kept.tokens().begin(), kept.tokens().begin() + 3),
              ElementsAre("also", "often", "half"));
  EXPECT_LE(kept.tokens().size(), 103u);
}

}  // namespace
}  // namespace traind
