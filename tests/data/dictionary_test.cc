#include "model/data/dictionary.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "tests/data/corpus_case.h"

namespace traind {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(DictionaryLine, IsReadFromEveryReleaseOfCmudict) {
  struct Case {
    std::string line;
    std::string word;
    std::string pronunciation;
  };
  for (const Case& expected : std::vector<Case>{
           {"abandon AH B AE N D AH N", "abandon", "AH B AE N D AH N"},
           {"a(2) EY", "a", "EY"},
           {"a(12) EY", "a", "EY"},
           {"ABANDON  AH0 B AE1 N D AH0 N", "ABANDON", "AH0 B AE1 N D AH0 N"},
           {"ABANDON(1)  AH0 B AE1", "ABANDON", "AH0 B AE1"},
           {"aalborg AO1 L B AO0 R G # place, danish", "aalborg", "AO1 L B AO0 R G"},
           {"d'artagnan D AH0 R T AE1 NY AH0 N # foreign french # twice", "d'artagnan",
            "D AH0 R T AE1 NY AH0 N"},
           {"'bout B AW T", "'bout", "B AW T"},
           {"word\tW\tER  D  ", "word", "W ER D"},
           {"(PAREN  P ER EH N", "(PAREN", "P ER EH N"},
           {"(2) T UW", "(2)", "T UW"},
           {"x(a) EH K S", "x(a)", "EH K S"},
           {"x() EH K S", "x()", "EH K S"},
           {"#hash HH AE SH", "#hash", "HH AE SH"},
           {"word #nothing", "word", ""},
           {"word", "word", ""},
           {" W ER D", "", "W ER D"},
       }) {
    const DictionaryEntry entry = parse_dictionary_line(expected.line);
    EXPECT_EQ(entry.word, expected.word) << expected.line;
    EXPECT_EQ(joined_symbols(entry.symbols), expected.pronunciation) << expected.line;
  }
}

TEST(DictionaryLine, IsACommentAfterThreeSemicolons) {
  EXPECT_TRUE(is_dictionary_comment(";;; # CMUdict  --  Major Version: 0.07"));
  EXPECT_TRUE(is_dictionary_comment(";;;"));
  EXPECT_FALSE(is_dictionary_comment(";SEMI-COLON  S EH M IY K OW L AH N"));
}

class DictionaryCorpus : public CorpusCase {
 protected:
  DataSection dictionary(const std::string& text, double fraction = 0.5) const {
    DataSection data = one_file(CorpusFormat::kDictionary, write("d.dict", text), fraction);
    data.target_tokens = TokenKind::kWords;
    return data;
  }

  // Words of one to three pronunciations; the further ones at the end, far from the first.
  static std::string many_words() {
    std::string first;
    std::string further;
    for (int i = 0; i < 300; ++i) {
      const std::string word = "word" + std::to_string(i);
      first += word + " A B\n";
      for (int j = 2; j <= 1 + i % 3; ++j) {
        further += word + "(" + std::to_string(j) + ") A B C" + std::to_string(j) + "\n";
      }
    }
    return ";;; words\n" + first + further;
  }
};

TEST_F(DictionaryCorpus, SpellsWordsAndJoinsSymbols) {
  const auto corpus =
      open(dictionary("alpha AE L  F AH # greek\nbeta B EY\nbeta(2) B IY\n"
                      "gamma G AE\ndelta D EH\nepsilon EH P\n"));
  std::map<std::string, std::multiset<std::string>> found;
  for (const auto& examples : {all_train(*corpus), all_valid(*corpus)}) {
    for (const Example& example : examples) found[example.source].insert(example.target);
  }
  EXPECT_EQ(found.size(), 5u);
  EXPECT_THAT(found["alpha"], ElementsAre("AE L F AH"));
  EXPECT_THAT(found["beta"], ElementsAre("B EY", "B IY"));
}

TEST_F(DictionaryCorpus, KeepsAllPronunciationsOfAWordOnOneSide) {
  const auto corpus = open(dictionary(many_words()));
  std::set<std::string> train;
  for (const Example& example : all_train(*corpus)) train.insert(example.source);
  std::set<std::string> valid;
  for (const Example& example : all_valid(*corpus)) valid.insert(example.source);
  EXPECT_EQ(train.size() + valid.size(), 300u);
  EXPECT_GT(valid.size(), 100u);
}

TEST_F(DictionaryCorpus, NamesEveryHeldOutPronunciationOnceAWord) {
  const auto corpus = open(dictionary(many_words() + "word0(4) A  B\nword0(5) A B\n"));
  std::map<std::string, std::vector<std::string>> named;
  for (std::int64_t i = 0; i < corpus->report().valid_examples; ++i) {
    const std::vector<std::string> references = corpus->references(i);
    if (references.empty()) {
      EXPECT_TRUE(named.contains(corpus->valid(i).source)) << "an earlier one speaks for it";
      continue;
    }
    EXPECT_TRUE(named.emplace(corpus->valid(i).source, references).second) << "only one speaks";
    EXPECT_EQ(references.front(), corpus->valid(i).target);
  }
  std::set<std::string> valid;
  for (const Example& example : all_valid(*corpus)) valid.insert(example.source);
  EXPECT_EQ(named.size(), valid.size());
  std::size_t with_three = 0;
  for (const auto& [word, references] : named) {
    const int number = std::stoi(word.substr(4));
    EXPECT_EQ(references.size(), static_cast<std::size_t>(1 + number % 3)) << word;
    with_three += references == std::vector<std::string>{"A B", "A B C2", "A B C3"} ? 1 : 0;
  }
  EXPECT_GT(with_three, 20u);
}

TEST_F(DictionaryCorpus, NeverPartsAWordToKeepTheValidationLimit) {
  DataSection data = dictionary(many_words(), 0.9);
  data.valid_limit = 50;
  const auto corpus = open(data);
  EXPECT_LE(corpus->report().valid_examples, 50);
  EXPECT_GE(corpus->report().valid_examples, 48);
  std::set<std::string> train;
  for (const Example& example : all_train(*corpus)) train.insert(example.source);
  for (const Example& example : all_valid(*corpus)) EXPECT_FALSE(train.contains(example.source));
}

TEST_F(DictionaryCorpus, IsNotChangedByCommentsAndNumbers) {
  const std::string words = "b B\nc K\nd D\ne E\nf F\n";
  const auto fingerprint = [this](const std::string& text) {
    return open(dictionary(text))->fingerprint();
  };
  const std::string plain = fingerprint(words + "a AA\na(2) EY\n");
  EXPECT_EQ(fingerprint(";;; more\n" + words + "a  AA # the letter\na(3) EY\n"), plain);
  EXPECT_NE(fingerprint(words + "a AA\na(2) IY\n"), plain);
}

TEST_F(DictionaryCorpus, HasSymbolsForTokens) {
  const auto corpus = open(dictionary("ab AE B\nba B AE\nbb B B\naa AE AE\nbab B AE B\n", 0.3));
  EXPECT_THAT(corpus->target_vocabulary().tokens(), testing::UnorderedElementsAre("AE", "B"));
  EXPECT_THAT(corpus->source_vocabulary().tokens(), testing::UnorderedElementsAre("a", "b"));
}

TEST_F(DictionaryCorpus, ReportsBadLinesByNumber) {
  EXPECT_THAT(error_of(dictionary("a AA\nD\xC9J\xC0 D EY\n")).what(),
              HasSubstr("d.dict:2: the word is not valid UTF-8 at byte 2"));
  EXPECT_THAT(error_of(dictionary(";;; head\na AA\nb\n")).what(),
              HasSubstr("d.dict:3: the pronunciation is empty"));
  EXPECT_THAT(error_of(dictionary(" a AA\n")).what(), HasSubstr("d.dict:1: the word is empty"));
  EXPECT_THAT(error_of(dictionary("a AA\n\nb B\n")).what(), HasSubstr("d.dict:2: is empty"));
  EXPECT_THAT(error_of(dictionary(";;; a\n;;; b\n")).what(),
              HasSubstr("none of its 2 lines has an example in it"));
  DataSection data = dictionary("a AA\nD\xC9J\xC0 D EY\nb B\nc K\nd D\ne E\n");
  data.bad_lines = BadLines::kSkip;
  EXPECT_EQ(open(data)->report().skipped_lines, 1);
}

TEST_F(DictionaryCorpus, TakesALineInLatin1OnlyForAComment) {
  EXPECT_EQ(open(dictionary(";;; caf\xE9\na AA\nb B # caf\xE9\nc K\nd D\ne E\nf F\n"))
                ->report()
                .skipped_lines,
            0);
}

}  // namespace
}  // namespace traind
