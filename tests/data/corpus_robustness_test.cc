#include <gtest/gtest.h>

#include <random>

#include "model/data/utf8.h"
#include "tests/data/corpus_case.h"

namespace traind {
namespace {

// Random and randomly damaged files: each ends in an error about the data or in examples that
// hold what the corpus promises, never in a crash (run it under the sanitizers).
class CorpusRobustness : public CorpusCase {
 protected:
  std::string random_bytes(std::size_t most) {
    std::string bytes(random_() % most, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random_());
    return bytes;
  }

  // Good text with a few bytes changed to ones that matter.
  std::string damaged_text() {
    using namespace std::string_view_literals;
    static constexpr auto kTroublesome = "\n\t\r\0\xEF\xBB\xBF\xC3\xED\xF4\x80 a"sv;
    std::string text = numbered(static_cast<int>(1 + random_() % 30), "source\tžluť ");
    for (std::size_t i = random_() % 6; i > 0; --i) {
      text[random_() % text.size()] = kTroublesome[random_() % kTroublesome.size()];
    }
    if (random_() % 4 == 0) text.resize(random_() % text.size());
    return text;
  }

  DataSection random_settings() {
    DataSection data;
    data.format = static_cast<CorpusFormat>(random_() % 5);
    data.source_tokens = static_cast<TokenKind>(random_() % 2);
    data.target_tokens = static_cast<TokenKind>(random_() % 2);
    data.bad_lines = random_() % 4 == 0 ? BadLines::kRefuse : BadLines::kSkip;
    data.max_length = static_cast<int>(1 + random_() % 60);
    data.limit = static_cast<std::int64_t>(random_() % 3 * 5);
    data.valid_limit = static_cast<std::int64_t>(random_() % 3 * 2);
    data.valid_fraction = 0.4;
    return data;
  }

  static void expect_promises(const Corpus& corpus, const DataSection& data) {
    for (std::int64_t i = 0; i < corpus.report().train_examples; ++i) {
      EXPECT_LE(corpus.train_length(i), data.max_length);
    }
    auto examples = all_train(corpus, 3);
    for (Example& example : all_valid(corpus)) examples.push_back(std::move(example));
    for (const Example& example : examples) {
      EXPECT_EQ(example.source.empty(), data.format == CorpusFormat::kText);
      EXPECT_EQ(scan_text(example.source).fault, TextFault::kNone);
      EXPECT_EQ(scan_text(example.target).fault, TextFault::kNone);
      EXPECT_GT(count_tokens(example.target, data.target_tokens), 0);
      EXPECT_LE(count_tokens(example.target, data.target_tokens), data.max_length);
    }
    std::size_t references = 0;
    for (std::int64_t i = 0; i < corpus.report().valid_examples; ++i) {
      references += corpus.references(i).size();
    }
    EXPECT_GT(references, 0u);
    corpus.source_vocabulary();
    corpus.target_vocabulary();
  }

  // Returns whether the corpus could be used.
  bool try_open(const DataSection& data) {
    try {
      expect_promises(*open(data), data);
      return true;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kData) << error.what();
      return false;
    }
  }

  std::mt19937 random_{20261121};
};

TEST_F(CorpusRobustness, RandomBytesNeverCrash) {
  for (int round = 0; round < 2'000; ++round) {
    DataSection data = random_settings();
    data.train = data.train_source = write("a", random_bytes(200));
    data.train_target = write("b", random_bytes(200));
    try_open(data);
  }
}

TEST_F(CorpusRobustness, DamagedTextNeverCrashes) {
  int usable = 0;
  for (int round = 0; round < 2'000; ++round) {
    DataSection data = random_settings();
    data.train = data.train_source = write("a", damaged_text());
    data.train_target = random_() % 3 == 0 ? data.train : write("b", damaged_text());
    usable += try_open(data) ? 1 : 0;
  }
  EXPECT_GT(usable, 200) << "or the test tests nothing";
}

// The promise is gone when the file is edited under a running training; memory safety is not.
TEST_F(CorpusRobustness, FileEditedInPlaceNeverCrashes) {
  for (const CorpusFormat format : {CorpusFormat::kTsv, CorpusFormat::kDictionary}) {
    std::string text;
    for (int i = 0; i < 50; ++i) text += "source" + std::to_string(i) + "\ttarget\n";
    const auto corpus = open(one_file(format, write("a", text), 0.9));
    for (int round = 0; round < 100; ++round) {
      std::string other(text.size(), '\0');
      for (char& byte : other) byte = static_cast<char>(random_());
      std::fstream(folder_ / "a", std::ios::in | std::ios::out | std::ios::binary) << other;
      all_train(*corpus);
      all_valid(*corpus);
      for (std::int64_t i = 0; i < corpus->report().valid_examples; ++i) corpus->references(i);
      corpus->target_vocabulary();
    }
  }
}

}  // namespace
}  // namespace traind
