#include "model/data/subwords.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sentencepiece_trainer.h>

#include <memory>
#include <random>
#include <set>
#include <thread>

#include "model/data/subword_file.h"
#include "model/data/vocabulary.h"
#include "tests/data/corpus_case.h"

namespace traind {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;

// Made of syllables, so that there are pieces to find.
std::vector<std::string> syllable_lines(int count) {
  const std::vector<std::string> syllables = {"ba", "du", "ki", "lo", "mé", "na", "漢", "ri"};
  std::mt19937 random(7);
  std::vector<std::string> lines;
  for (int i = 0; i < count; ++i) {
    std::string& line = lines.emplace_back();
    for (unsigned word = 0; word < 1 + random() % 4; ++word) {
      if (word > 0) line += ' ';
      for (unsigned j = 0; j < 1 + random() % 3; ++j) line += syllables[random() % 8];
    }
  }
  return lines;
}

std::string learn(const std::vector<std::string>& lines, std::int64_t pieces) {
  return learn_subwords({static_cast<std::int64_t>(lines.size()),
                         [&](std::int64_t i) { return lines[static_cast<std::size_t>(i)]; }},
                        pieces, {});
}

// Learnt once for all tests.
const std::string& learnt() {
  static const std::string bytes = learn(syllable_lines(300), 60);
  return bytes;
}

Vocabulary vocabulary() { return Vocabulary(std::make_shared<const SubwordModel>(learnt())); }

std::string text_of_error(const std::function<void()>& call, ErrorKind kind) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(Subwords, AreTheSameForTheSameLines) {
  EXPECT_EQ(learn(syllable_lines(300), 60), learnt());
  EXPECT_NE(learn(syllable_lines(301), 60), learnt());
}

TEST(Subwords, AreAtMostAsManyAsAskedFor) {
  EXPECT_LE(SubwordModel(learnt()).pieces().size(), 60u);
  EXPECT_LT(SubwordModel(learn({"ab ab", "ab"}, 500)).pieces().size(), 20u);
}

TEST(Subwords, CutShorterThanCharactersAndJoinToTheSameText) {
  const SubwordModel model(learnt());
  std::size_t characters = 0;
  std::size_t pieces = 0;
  for (const std::string& line : syllable_lines(300)) {
    const std::vector<std::int32_t> numbers = model.encode(line);
    EXPECT_EQ(model.decode(numbers), line);
    characters += split_tokens(line, TokenKind::kCharacters).size();
    pieces += numbers.size();
  }
  EXPECT_LT(pieces * 3, characters * 2);
}

TEST(Subwords, KeepWhiteSpaceAsItIs) {
  const SubwordModel model(learnt());
  for (const std::string text : {" ba", "ba  du", "ba ", "   ", ""}) {
    EXPECT_EQ(model.decode(model.encode(text)), text);
  }
}

TEST(Subwords, TakeAnUnknownRunForOneUnknownPiece) {
  const SubwordModel model(learnt());
  EXPECT_EQ(model.decode(model.encode("baXYZdu")),
            "ba\xEF\xBF\xBD"
            "du");
  EXPECT_EQ(model.decode(std::vector<std::int32_t>{SubwordModel::kUnknown, 1'000'000, -7}),
            "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Subwords, CanBeUsedByManyThreadsAtOnce) {
  const SubwordModel model(learnt());
  std::vector<int> wrong(4);
  std::vector<std::thread> threads;
  threads.reserve(wrong.size());
  for (int& count : wrong) {
    threads.emplace_back([&model, &count] {
      for (const std::string& line : syllable_lines(200)) {
        count += model.decode(model.encode(line)) == line ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, Each(0));
}

TEST(Subwords, SayWhenTheLinesOrThePiecesDoNotSuffice) {
  const auto too_few = [] { learn(syllable_lines(300), 3); };
  EXPECT_THAT(text_of_error(too_few, ErrorKind::kData), HasSubstr("data.vocabulary = 3"));
  text_of_error([] { learn({}, 10); }, ErrorKind::kData);
}

TEST(Subwords, AreLearntInSilence) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  learn(syllable_lines(50), 30);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

TEST(Subwords, ShowLifeWhileTheyAreLearntAndStopWhenItThrows) {
  const std::vector<std::string> lines = syllable_lines(3'000);
  const SubwordLines all = {3'000,
                            [&](std::int64_t i) { return lines[static_cast<std::size_t>(i)]; }};
  int signs = 0;
  learn_subwords(all, 60, [&] { ++signs; });
  EXPECT_GE(signs, 1);
  const auto stop = [] { throw Error(ErrorKind::kCancelled, "asked to stop"); };
  text_of_error([&] { learn_subwords(all, 60, stop); }, ErrorKind::kCancelled);
}

TEST(Subwords, AreLearntFromEvenlySpreadLinesOfALargeCorpus) {
  std::set<std::int64_t> asked;
  std::int64_t last = -1;
  learn_subwords({3 * kMostSubwordLines,
                  [&](std::int64_t i) {
                    EXPECT_GT(i, last);
                    last = i;
                    asked.insert(i);
                    return std::string("ba");
                  }},
                 10, {});
  EXPECT_EQ(static_cast<std::int64_t>(asked.size()), kMostSubwordLines);
  EXPECT_GE(last, 3 * kMostSubwordLines - 3);
}

TEST(SubwordModelFile, IsRefusedWhenItIsNone) {
  for (const std::string& bytes :
       {std::string(), std::string("no model"), std::string(100, '\0'), learnt().substr(0, 40),
        std::string(SubwordModel::kMostBytes + 1, '\x0A')}) {
    text_of_error([&] { SubwordModel{bytes}; }, ErrorKind::kData);
  }
}

// A model as others make them: byte-pair encoding, marks of its own, text in NFKC.
const std::string& foreign() {
  static const std::string bytes = [] {
    class Lines : public sentencepiece::SentenceIterator {
     public:
      bool done() const override { return next_ >= lines_.size(); }
      void Next() override { ++next_; }
      const std::string& value() const override { return lines_[next_]; }
      sentencepiece::util::Status status() const override { return {}; }

     private:
      std::vector<std::string> lines_ = syllable_lines(100);
      std::size_t next_ = 0;
    } lines;
    std::string model;
    const auto status = sentencepiece::SentencePieceTrainer::Train({{"model_type", "bpe"},
                                                                    {"vocab_size", "50"},
                                                                    {"hard_vocab_limit", "false"},
                                                                    {"pad_id", "3"},
                                                                    {"minloglevel", "3"}},
                                                                   &lines, &model);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return model;
  }();
  return bytes;
}

TEST(SubwordModelFile, MayComeFromElsewhere) {
  const SubwordModel model(foreign());
  EXPECT_EQ(model.pieces().size(), 46u) << "without <unk>, <s>, </s> and <pad>";
  EXPECT_THAT(model.pieces(), testing::Not(testing::Contains("</s>")));
  EXPECT_EQ(model.decode(model.encode("ba \xEF\xBD\x84\xEF\xBD\x95")), "ba du") << "wide letters";
  EXPECT_EQ(model.decode(model.encode("ba</s>"))[0], 'b');
}

TEST(SubwordModelFile, IsRefusedWhenAPieceIsAZeroByte) {
  using namespace std::string_literals;
  std::string bytes = learnt();
  const std::size_t piece = bytes.find("\x0A\x01u"s);
  ASSERT_NE(piece, std::string::npos);
  bytes[piece + 2] = '\0';
  EXPECT_THAT(text_of_error([&] { SubwordModel{bytes}; }, ErrorKind::kData),
              HasSubstr("zero-length key"));
}

// The library walks the table of a file without bounds.
TEST(SubwordModelFile, IsRefusedWhenItsTableLeadsOutside) {
  // Field 3 is the normaliser; its field 1 the name, its field 2 the table.
  const std::size_t table = foreign().find("nmt_nfkc\x12") + 9;
  ASSERT_GT(table, 9u);
  std::size_t root = table;
  while (static_cast<unsigned char>(foreign()[root]) >= 0x80) ++root;
  root += 1 + 4;  // behind the varint of its size, and the size of the trie
  EXPECT_EQ(fault_of_subword_file(foreign()), "");
  std::string outside = foreign();
  outside[root + 3] = '\x7F';  // the highest bits of the offset
  EXPECT_EQ(fault_of_subword_file(outside), "its table for normalising text is damaged");
  // Every text that a rule leads to lies in what follows the trie; a longer trie leaves less.
  std::string longer = foreign();
  longer[root - 3] = static_cast<char>(longer[root - 3] + 1);
  EXPECT_EQ(fault_of_subword_file(longer), "its table for normalising text is damaged");
}

TEST(SubwordModelFile, NeverEndsTheProcessWhenItIsDamaged) {
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 1'000; ++round) {
    std::string bytes = round % 2 == 0 ? learnt() : foreign();
    for (unsigned i = 0; i < 1 + random() % 4; ++i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (round % 5 == 0) bytes.resize(random() % bytes.size());
    try {
      const SubwordModel model(bytes);
      std::vector<std::int32_t> all(model.pieces().size());
      for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int32_t>(i);
      model.decode(all);
      model.decode(model.encode("ba mé漢 X  lori"));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kData);
      ++refused;
    }
  }
  EXPECT_GT(refused, 300);
}

TEST(SubwordVocabulary, KeepsTheMarksFirst) {
  const Vocabulary subwords = vocabulary();
  EXPECT_EQ(subwords.kind(), TokenKind::kSubwords);
  EXPECT_EQ(subwords.size(), kFirstTokenId + static_cast<std::int32_t>(subwords.tokens().size()));
  const std::vector<std::int32_t> ids = subwords.encode("ba漢 Q du");
  EXPECT_THAT(ids, testing::Contains(kUnknownId));
  EXPECT_THAT(ids, Each(testing::AnyOf(kUnknownId, testing::Ge(kFirstTokenId))));
  EXPECT_EQ(subwords.decode(ids), "ba漢 \xEF\xBF\xBD du");
  EXPECT_EQ(subwords.decode({kBeginId, kEndId, kPadId}), "");
  EXPECT_THAT(subwords.encode(""), IsEmpty());
}

TEST(SubwordVocabulary, LiesWholeInItsText) {
  const Vocabulary before = vocabulary();
  const Vocabulary after = vocabulary_from_text(to_text(before));
  EXPECT_EQ(to_text(after), to_text(before));
  for (const std::string& line : syllable_lines(50)) {
    EXPECT_EQ(after.encode(line), before.encode(line));
  }
}

TEST(SubwordVocabulary, RefusesADamagedText) {
  for (const std::string text :
       {"subwords\n", "subwords\n\n", "subwords\n!!!!\n", "subwords\nAAAA\n", "subwords\nAAAA"}) {
    text_of_error([&] { vocabulary_from_text(text); }, ErrorKind::kCorrupt);
  }
}

class SubwordCorpus : public CorpusCase {
 protected:
  std::string lines(int count) const {
    std::string text;
    for (const std::string& line : syllable_lines(count)) text += line + "\n";
    return text;
  }
};

TEST_F(SubwordCorpus, LearnsFromTheTrainingLines) {
  DataSection data = one_file(CorpusFormat::kText, write("t", lines(300)), 0.2);
  data.target_tokens = TokenKind::kSubwords;
  data.vocabulary = 60;
  const auto corpus = open(data);
  const Vocabulary target = corpus->target_vocabulary();
  EXPECT_EQ(target.kind(), TokenKind::kSubwords);
  std::vector<std::string> training;
  for (const Example& example : all_train(*corpus)) training.push_back(example.target);
  EXPECT_EQ(target.subwords()->bytes(), learn(training, 60));
}

TEST_F(SubwordCorpus, TakesAModelThatIsGiven) {
  DataSection data = one_file(CorpusFormat::kLines, write("t", lines(100)));
  data.source_tokens = TokenKind::kSubwords;
  data.source_subwords = write("given.model", learnt());
  EXPECT_EQ(open(data)->source_vocabulary().subwords()->bytes(), learnt());
  data.source_subwords = write("broken.model", "no model");
  const std::string text =
      text_of_error([&] { open(data)->source_vocabulary(); }, ErrorKind::kData);
  EXPECT_THAT(text, HasSubstr("broken.model"));
  data.source_subwords = folder_ / "absent.model";
  text_of_error([&] { open(data)->source_vocabulary(); }, ErrorKind::kNotFound);
}

TEST_F(SubwordCorpus, CountsCharactersWhereThePiecesAreNotKnown) {
  DataSection data = one_file(CorpusFormat::kText, write("t", "ba du\nkiki\nlo\nna\n"), 0.5);
  data.target_tokens = TokenKind::kSubwords;
  const auto corpus = open(data);
  for (std::int64_t i = 0; i < corpus->report().train_examples; ++i) {
    EXPECT_EQ(corpus->train_length(i), static_cast<int>(corpus->train(i, 1).target.size()));
  }
  data.max_length = 4;
  EXPECT_THAT(error_of(data).what(), HasSubstr("has 5 characters, more than max_length = 4"));
}

}  // namespace
}  // namespace traind
