#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <set>

#include "tests/data/corpus_case.h"

namespace traind {
namespace {

class CorpusFingerprint : public CorpusCase {
 protected:
  std::string of(const std::string& text) {
    return open(one_file(CorpusFormat::kTsv, write("t", text)))->fingerprint();
  }
};

TEST_F(CorpusFingerprint, IsSixteenHexDigitsAndTheSameForEver) {
  EXPECT_EQ(of(numbered(30, "a\tb")), "d1fd84c76715231b");
}

TEST_F(CorpusFingerprint, ChangesWithAnyLine) {
  const std::string text = numbered(30, "a\tb");
  std::set<std::string> seen = {of(text)};
  for (std::size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    if (changed[at] == '\n' || changed[at] == '\t') continue;
    changed[at] = '!';
    EXPECT_TRUE(seen.insert(of(changed)).second) << "byte " << at;
  }
}

TEST_F(CorpusFingerprint, ChangesWithTheOrderAndTheNumberOfLines) {
  const std::string tail = numbered(30, "x\ty");
  const std::set<std::string> seen = {of("a\tb\nc\td\n" + tail), of("c\td\na\tb\n" + tail),
                                      of("a\tb\n" + tail), of("a\tb\nc\td\na\tb\n" + tail),
                                      of("c\tb\na\td\n" + tail)};
  EXPECT_EQ(seen.size(), 5u);
}

TEST_F(CorpusFingerprint, DoesNotDependOnPathCompressionOrFinalNewline) {
  const std::string text = numbered(30, "a\tb");
  const std::string plain = of(text);
  EXPECT_EQ(of(text.substr(0, text.size() - 1)), plain);
  std::filesystem::copy(folder_ / "t", folder_ / "elsewhere");
  EXPECT_EQ(open(one_file(CorpusFormat::kTsv, folder_ / "elsewhere"))->fingerprint(), plain);
}

TEST_F(CorpusFingerprint, DoesNotDependOnTheSeed) {
  const DataSection data = one_file(CorpusFormat::kLines, write("t", numbered(100)));
  EXPECT_EQ(open(data, {}, 1)->fingerprint(), open(data, {}, 2)->fingerprint());
}

TEST_F(CorpusFingerprint, ChangesWithEverySettingThatShapesExamples) {
  const DataSection data = one_file(CorpusFormat::kLines, write("t", numbered(100)));
  const NoiseSection noise;
  std::set<std::string> seen = {open(data, noise)->fingerprint()};
  const auto changes_data = [&](const char* what, const std::function<void(DataSection&)>& change) {
    DataSection other = data;
    change(other);
    EXPECT_TRUE(seen.insert(open(other, noise)->fingerprint()).second) << what;
  };
  const auto changes_noise = [&](const char* what,
                                 const std::function<void(NoiseSection&)>& change) {
    NoiseSection other = noise;
    change(other);
    EXPECT_TRUE(seen.insert(open(data, other)->fingerprint()).second) << what;
  };
  changes_data("source_tokens", [](auto& d) { d.source_tokens = TokenKind::kWords; });
  changes_data("target_tokens", [](auto& d) { d.target_tokens = TokenKind::kWords; });
  changes_data("max_length", [](auto& d) { d.max_length = 50; });
  changes_data("valid_fraction", [](auto& d) { d.valid_fraction = 0.4; });
  changes_data("valid_limit", [](auto& d) { d.valid_limit = 7; });
  changes_data("limit", [](auto& d) { d.limit = 90; });
  changes_data("bad_lines", [](auto& d) { d.bad_lines = BadLines::kSkip; });
  changes_data("valid", [&](auto& d) { d.valid = d.train; });
  changes_noise("lines", [](auto& n) { n.lines = 0.7; });
  changes_noise("min_edits", [](auto& n) { n.min_edits = 2; });
  changes_noise("max_edits", [](auto& n) { n.max_edits = 3; });
  changes_noise("per_character", [](auto& n) { n.per_character = 0.1; });
  changes_noise("fresh_each_epoch", [](auto& n) { n.fresh_each_epoch = false; });
}

TEST_F(CorpusFingerprint, IgnoresNoiseWhereThereIsNone) {
  const DataSection data = one_file(CorpusFormat::kTsv, write("t", numbered(100, "a\tb")));
  NoiseSection other;
  other.lines = 0.1;
  EXPECT_EQ(open(data)->fingerprint(), open(data, other)->fingerprint());
}

TEST_F(CorpusFingerprint, ChangesWithTheValidationFile) {
  DataSection data = one_file(CorpusFormat::kLines, write("t", numbered(100)));
  data.valid = write("v", numbered(10, "held "));
  const std::string before = open(data)->fingerprint();
  data.valid = write("w", numbered(11, "held "));
  EXPECT_NE(open(data)->fingerprint(), before);
}

TEST_F(CorpusFingerprint, ChangesWhenASkippedLineIsMended) {
  DataSection data = one_file(CorpusFormat::kTsv, write("t", numbered(40, "a\tb") + "c d\n"));
  data.bad_lines = BadLines::kSkip;
  const std::string before = open(data)->fingerprint();
  write("t", numbered(40, "a\tb") + "c\td\n");
  EXPECT_NE(open(data)->fingerprint(), before);
}

}  // namespace
}  // namespace traind
