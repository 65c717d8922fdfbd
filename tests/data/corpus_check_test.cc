#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "tests/data/corpus_case.h"

namespace traind {
namespace {

using testing::HasSubstr;

constexpr const char* kByteOrderMark = "\xEF\xBB\xBF";

class CorpusChecks : public CorpusCase {
 protected:
  // Holds that a file with `bad` between good lines is refused with file, line 3 and `why`, and
  // with bad_lines = "skip" counted, reported and left out.
  void expect_bad(CorpusFormat format, const std::string& bad, const std::string& why) {
    const std::string good = format == CorpusFormat::kTsv ? "good\tline " : "good line ";
    std::string text = numbered(2, good) + bad + "\n";
    for (int i = 2; i < 40; ++i) text += good + std::to_string(i) + "\n";
    expect_bad_at(format, text, 3, why);
  }

  void expect_bad_at(CorpusFormat format, const std::string& text, int line,
                     const std::string& why) {
    DataSection data = one_file(format, write("bad.txt", text));
    const Error error = error_of(data);
    EXPECT_EQ(error.kind(), ErrorKind::kData);
    EXPECT_THAT(error.what(), HasSubstr(folder_ / "bad.txt" + ":" + std::to_string(line) + ": "));
    EXPECT_THAT(error.what(), HasSubstr(why));

    data.bad_lines = BadLines::kSkip;
    const auto corpus = open(data);
    const CorpusReport& report = corpus->report();
    EXPECT_EQ(report.skipped_lines, 1);
    ASSERT_EQ(report.first_bad.size(), 1u);
    EXPECT_EQ(report.first_bad[0].file, folder_ / "bad.txt");
    EXPECT_EQ(report.first_bad[0].line, line);
    EXPECT_THAT(report.first_bad[0].what, HasSubstr(why));
    const auto lines = std::count(text.begin(), text.end(), '\n');
    EXPECT_EQ(report.train_examples + report.valid_examples + 1, lines) << "every line accounted";
  }

  DataSection pair(const std::string& source, const std::string& target) {
    DataSection data;
    data.format = CorpusFormat::kParallel;
    data.train_source = write("train.en", source);
    data.train_target = write("train.de", target);
    data.valid_fraction = 0.5;
    return data;
  }
};

TEST_F(CorpusChecks, LineWithoutATab) {
  expect_bad(CorpusFormat::kTsv, "no tab here", "no tab between source and target");
}

TEST_F(CorpusChecks, LineWithTwoTabs) {
  expect_bad(CorpusFormat::kTsv, "one\ttwo\tthree", "more than one tab");
}

TEST_F(CorpusChecks, EmptySide) {
  expect_bad(CorpusFormat::kTsv, "\ttarget", "the source is empty");
  expect_bad(CorpusFormat::kTsv, "source\t", "the target is empty");
}

TEST_F(CorpusChecks, EmptyLine) {
  expect_bad(CorpusFormat::kTsv, "", "is empty");
  expect_bad(CorpusFormat::kLines, "", "is empty");
}

TEST_F(CorpusChecks, InvalidUtf8) {
  expect_bad(CorpusFormat::kTsv, "ok\tca\xF1on", "the target is not valid UTF-8 at byte 3");
  expect_bad(CorpusFormat::kTsv, "\xC0\x80\tok", "the source is not valid UTF-8 at byte 1");
  expect_bad(CorpusFormat::kLines, "\xED\xA0\x80", "the line is not valid UTF-8");
}

TEST_F(CorpusChecks, ControlCharacters) {
  expect_bad(CorpusFormat::kLines, std::string("nul\0inside", 10), "U+0000 at byte 4");
  expect_bad(CorpusFormat::kTsv, "a\x1B[1m\tb", "the control character U+001B");
  expect_bad(CorpusFormat::kLines, "a\rb", "U+000D");
  expect_bad(CorpusFormat::kLines, "a\x7F", "U+007F");
  expect_bad(CorpusFormat::kLines, "a\xC2\x85", "U+0085");
}

TEST_F(CorpusChecks, TabInsideAPlainLineIsText) {
  DataSection data = one_file(CorpusFormat::kLines, write("t", numbered(40, "a\tb")));
  EXPECT_EQ(open(data)->report().skipped_lines, 0);
}

TEST_F(CorpusChecks, CarriageReturnAtALinesEnd) {
  expect_bad(CorpusFormat::kTsv, "a\tb\r", "ends in CR LF");
  expect_bad(CorpusFormat::kLines, "\r", "ends in CR LF");
}

TEST_F(CorpusChecks, FileFromWindowsIsRefusedAtItsFirstLineEitherWay) {
  DataSection data = one_file(CorpusFormat::kTsv, write("w.tsv", "a\tb\r\nc\td\r\n"));
  EXPECT_THAT(error_of(data).what(), HasSubstr("w.tsv:1: ends in CR LF"));
  data.bad_lines = BadLines::kSkip;
  EXPECT_THAT(error_of(data).what(), HasSubstr("none of its 2 lines can be used"));
  EXPECT_THAT(error_of(data).what(), HasSubstr("w.tsv:1: ends in CR LF"));
}

TEST_F(CorpusChecks, ByteOrderMark) {
  expect_bad_at(CorpusFormat::kLines, kByteOrderMark + numbered(40), 1, "byte order mark");
  expect_bad_at(CorpusFormat::kTsv, kByteOrderMark + numbered(40, "a\tb"), 1, "byte order mark");
}

TEST_F(CorpusChecks, ByteOrderMarkInsideTheFileIsText) {
  const DataSection data =
      one_file(CorpusFormat::kLines, write("t", numbered(20) + kByteOrderMark + numbered(20, "x")));
  EXPECT_EQ(open(data)->report().skipped_lines, 0);
}

TEST_F(CorpusChecks, LineLongerThanMaxLength) {
  expect_bad(CorpusFormat::kTsv, "ok\t" + std::string(101, 'x'),
             "the target has 101 characters, more than max_length = 100");
  expect_bad(CorpusFormat::kTsv, std::string(101, 'x') + "\tok", "the source has 101 characters");
  DataSection data =
      one_file(CorpusFormat::kLines, write("t", numbered(40) + std::string(100, 'x') + "\n"));
  EXPECT_EQ(open(data)->report().skipped_lines, 0) << "100 are allowed";
}

TEST_F(CorpusChecks, LengthIsCountedInTokensNotBytes) {
  std::string line;
  for (int i = 0; i < 100; ++i) line += "漢";
  DataSection data = one_file(CorpusFormat::kLines, write("t", numbered(40) + line));
  EXPECT_EQ(open(data)->report().skipped_lines, 0);
  data.source_tokens = data.target_tokens = TokenKind::kWords;
  data.max_length = 2;
  EXPECT_EQ(open(data)->report().skipped_lines, 0);
  data.max_length = 1;
  EXPECT_THAT(error_of(data).what(), HasSubstr("the line has 2 words, more than max_length = 1"));
}

TEST_F(CorpusChecks, BothSidesOfAPlainLineMustFit) {
  DataSection data = one_file(CorpusFormat::kLines, write("t", numbered(40)));
  data.target_tokens = TokenKind::kWords;
  data.max_length = 5;
  EXPECT_THAT(error_of(data).what(), HasSubstr("the line has 6 characters"));
}

TEST_F(CorpusChecks, SideWithoutAWord) {
  DataSection data = one_file(CorpusFormat::kTsv, write("t", "a\tb\nc\t  \n"));
  data.target_tokens = TokenKind::kWords;
  EXPECT_THAT(error_of(data).what(), HasSubstr("t:2: the target has no word"));
}

TEST_F(CorpusChecks, EmptyFile) {
  const Error error = error_of(one_file(CorpusFormat::kTsv, write("none.tsv", "")));
  EXPECT_EQ(error.kind(), ErrorKind::kData);
  EXPECT_THAT(error.what(), HasSubstr("none.tsv:1: the file is empty"));
}

TEST_F(CorpusChecks, EmptyValidationFile) {
  DataSection data = one_file(CorpusFormat::kTsv, write("train.tsv", "a\tb\n"));
  data.valid = write("valid.tsv", "");
  EXPECT_THAT(error_of(data).what(), HasSubstr("valid.tsv:1: the file is empty"));
}

TEST_F(CorpusChecks, UnequalLineCounts) {
  const Error longer_source = error_of(pair(numbered(7), numbered(5)));
  EXPECT_EQ(longer_source.kind(), ErrorKind::kData);
  EXPECT_THAT(longer_source.what(), HasSubstr("train.en:6: has no counterpart"));
  EXPECT_THAT(longer_source.what(), HasSubstr("train.en has 7 lines"));
  EXPECT_THAT(longer_source.what(), HasSubstr("train.de has 5"));
  const Error longer_target = error_of(pair(numbered(5), numbered(7)));
  EXPECT_THAT(longer_target.what(), HasSubstr("train.de:6: has no counterpart"));
}

TEST_F(CorpusChecks, UnequalLineCountsAreNeverSkipped) {
  DataSection data = pair(numbered(50), numbered(49));
  data.bad_lines = BadLines::kSkip;
  EXPECT_THAT(error_of(data).what(), HasSubstr("train.en:50: has no counterpart"));
}

TEST_F(CorpusChecks, ParallelFileNamesTheBadSide) {
  const std::string good = numbered(30);
  EXPECT_THAT(error_of(pair("a\n\n" + good, "a\nb\n" + good)).what(),
              HasSubstr("train.en:2: is empty"));
  EXPECT_THAT(error_of(pair("a\nb\n" + good, "a\nb\r\n" + good)).what(),
              HasSubstr("train.de:2: ends in CR LF"));
  EXPECT_THAT(error_of(pair("a\nb\n" + good, "a\n\xFF\n" + good)).what(),
              HasSubstr("train.de:2: the target is not valid UTF-8"));
  EXPECT_THAT(error_of(pair("a\n" + good, kByteOrderMark + ("a\n" + good))).what(),
              HasSubstr("train.de:1: starts with a byte order mark"));
}

TEST_F(CorpusChecks, SkippingKeepsPairsAligned) {
  std::string source;
  std::string target;
  for (int i = 0; i < 100; ++i) {
    source += (i % 10 == 3 ? "" : "s" + std::to_string(i)) + "\n";
    target += (i % 10 == 7 ? "\xFF" : "t" + std::to_string(i)) + "\n";
  }
  DataSection data = pair(source, target);
  data.bad_lines = BadLines::kSkip;
  const auto corpus = open(data);
  EXPECT_EQ(corpus->report().skipped_lines, 20);
  auto examples = all_train(*corpus);
  const auto held_out = all_valid(*corpus);
  examples.insert(examples.end(), held_out.begin(), held_out.end());
  EXPECT_EQ(examples.size(), 80u);
  for (const Example& example : examples) {
    EXPECT_EQ(example.source.substr(1), example.target.substr(1));
  }
}

TEST_F(CorpusChecks, ReportsTheFirstTwentyAndCountsAll) {
  DataSection data =
      one_file(CorpusFormat::kTsv, write("t", numbered(50, "bad ") + numbered(40, "good\t")));
  data.bad_lines = BadLines::kSkip;
  data.valid = write("v", numbered(30, "bad ") + numbered(4, "good\t"));
  const auto corpus = open(data);
  EXPECT_EQ(corpus->report().skipped_lines, 80) << "of both files";
  ASSERT_EQ(corpus->report().first_bad.size(), 20u);
  EXPECT_EQ(corpus->report().first_bad[19].line, 20);
  EXPECT_EQ(corpus->report().train_examples, 40);
}

TEST_F(CorpusChecks, MissingFileIsNotFound) {
  const Error error = error_of(one_file(CorpusFormat::kTsv, folder_ / "absent.tsv"));
  EXPECT_EQ(error.kind(), ErrorKind::kNotFound);
  EXPECT_THAT(error.what(), HasSubstr(folder_ / "absent.tsv"));
  write("file", "x");
  EXPECT_EQ(error_of(one_file(CorpusFormat::kTsv, folder_ / "file/below")).kind(),
            ErrorKind::kNotFound);
}

TEST_F(CorpusChecks, MissingSecondFileIsNotFound) {
  DataSection data = pair("a\n", "b\n");
  data.train_source = folder_ / "absent.en";
  EXPECT_EQ(error_of(data).kind(), ErrorKind::kNotFound);
  EXPECT_THAT(error_of(data).what(), HasSubstr("absent.en"));
}

TEST_F(CorpusChecks, DirectoryIsRefused) {
  const Error error = error_of(one_file(CorpusFormat::kTsv, folder_.path()));
  EXPECT_EQ(error.kind(), ErrorKind::kIo);
  EXPECT_THAT(error.what(), HasSubstr(folder_.path() + ": is a directory"));
}

TEST_F(CorpusChecks, NamedPipeIsRefusedAndNotWaitedFor) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(error_of(one_file(CorpusFormat::kTsv, folder_ / "pipe")).kind(), ErrorKind::kIo);
}

// In a process of its own, which gives up the rights of root where it has them.
TEST_F(CorpusChecks, UnreadableFileIsRefused) {
  const std::string path = write("secret.tsv", "a\tb\n");
  ASSERT_EQ(::chmod(path.c_str(), 0), 0);
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(2);
    try {
      open(one_file(CorpusFormat::kTsv, path));
    } catch (const Error& error) {
      const std::string what = error.what();
      ::_exit(error.kind() == ErrorKind::kIo && what.find(path) != std::string::npos &&
                      what.find("Permission denied") != std::string::npos
                  ? 0
                  : 1);
    }
    ::_exit(3);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace traind
