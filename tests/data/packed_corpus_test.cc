// Corpora in archives. Built only where traind_data has zlib and libzstd; what it does without them
// is in unpack_absent_test.cc.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <random>

#include "tests/data/corpus_case.h"

namespace traind {
namespace {

using testing::HasSubstr;

class PackedCorpus : public CorpusCase {
 protected:
  // Runs a program of the system on a file of the folder.
  void pack(const std::string& command) {
    ASSERT_EQ(std::system(("cd " + folder_.path() + " && " + command).c_str()), 0) << command;
  }
};

TEST_F(PackedCorpus, ReadsGzip) {
  const std::string text = numbered(20'000, "packed\tline ");
  const auto plain = open(one_file(CorpusFormat::kTsv, write("p.tsv", text)));
  pack("gzip -k p.tsv");
  const auto packed = open(one_file(CorpusFormat::kTsv, folder_ / "p.tsv.gz"));
  EXPECT_EQ(packed->fingerprint(), plain->fingerprint());
  EXPECT_EQ(packed->train(77, 1).target, plain->train(77, 1).target);
}

TEST_F(PackedCorpus, ReadsZstandard) {
  const std::string text = numbered(20'000, "packed\tline ");
  const auto plain = open(one_file(CorpusFormat::kTsv, write("p.tsv", text)));
  pack("zstd -q p.tsv");
  const auto packed = open(one_file(CorpusFormat::kTsv, folder_ / "p.tsv.zst"));
  EXPECT_EQ(packed->fingerprint(), plain->fingerprint());
  EXPECT_EQ(packed->train(77, 1).target, plain->train(77, 1).target);
}

TEST_F(PackedCorpus, ReadsArchivesOfSeveralParts) {
  const auto plain = open(one_file(CorpusFormat::kLines, write("all", numbered(3'000))));
  write("part1", numbered(3'000).substr(0, 11'111));
  write("part2", numbered(3'000).substr(11'111));
  pack("gzip -k part1 part2 && cat part1.gz part2.gz > all.gz");
  pack("zstd -q part1 part2 && cat part1.zst part2.zst > all.zst");
  for (const std::string name : {"all.gz", "all.zst"}) {
    EXPECT_EQ(open(one_file(CorpusFormat::kLines, folder_ / name))->fingerprint(),
              plain->fingerprint())
        << name;
  }
}

TEST_F(PackedCorpus, LeavesNothingBehindInTheCacheFolder) {
  write("p.tsv", numbered(100, "a\tb"));
  pack("gzip p.tsv && mkdir cache");
  const auto corpus = open_corpus(one_file(CorpusFormat::kTsv, folder_ / "p.tsv.gz"), {},
                                  {folder_ / "cache", 1, {}});
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "cache")) << "even while it is in use";
  EXPECT_EQ(corpus->train(0, 1).source, "a");
}

TEST_F(PackedCorpus, RefusesDamagedArchives) {
  write("p", numbered(5'000, "a\tb"));
  pack("gzip -k p && zstd -q p");
  for (const std::string suffix : {".gz", ".zst"}) {
    const std::string packed = (std::filesystem::path(folder_ / "p") += suffix).string();
    const auto size = std::filesystem::file_size(packed);
    std::filesystem::copy(packed, folder_ / "cut" + suffix);
    std::filesystem::resize_file(folder_ / "cut" + suffix, size / 2);
    const Error cut = error_of(one_file(CorpusFormat::kTsv, folder_ / "cut" + suffix));
    EXPECT_EQ(cut.kind(), ErrorKind::kData) << suffix;
    EXPECT_THAT(cut.what(), HasSubstr("cut" + suffix + ": the archive is cut off"));

    write("empty" + suffix, "");
    EXPECT_EQ(error_of(one_file(CorpusFormat::kTsv, folder_ / "empty" + suffix)).kind(),
              ErrorKind::kData);

    const Error foreign =
        error_of(one_file(CorpusFormat::kTsv, write("foreign" + suffix, "no archive at all")));
    EXPECT_EQ(foreign.kind(), ErrorKind::kData) << suffix;
    EXPECT_THAT(foreign.what(), HasSubstr("is damaged")) << suffix;
  }
}

TEST_F(PackedCorpus, FindsFlippedBitsInArchives) {
  write("p", numbered(5'000, "a\tb"));
  pack("gzip -k p && zstd -q p");
  for (const std::string name : {"p.gz", "p.zst"}) {
    std::fstream file(folder_ / name, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(-20, std::ios::end);
    const char flipped = static_cast<char>(file.get() ^ 4);
    file.seekp(-20, std::ios::end);
    file.put(flipped);
    file.close();
    EXPECT_EQ(error_of(one_file(CorpusFormat::kTsv, folder_ / name)).kind(), ErrorKind::kData);
  }
}

// A frame of RFC 8878 whose window is 2 GiB, in a file of nine bytes.
TEST_F(PackedCorpus, TakesNoMemoryThatASmallArchiveHasNoUseFor) {
  const std::string archive("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", 9);
  const Error error = error_of(one_file(CorpusFormat::kTsv, write("w.zst", archive)));
  EXPECT_EQ(error.kind(), ErrorKind::kData);
  EXPECT_THAT(error.what(), HasSubstr("too much memory"));
}

TEST_F(PackedCorpus, CacheFolderThatIsMissingIsNamed) {
  write("p.tsv", numbered(10, "a\tb"));
  ASSERT_EQ(std::system(("gzip " + (folder_ / "p.tsv")).c_str()), 0);
  try {
    open_corpus(one_file(CorpusFormat::kTsv, folder_ / "p.tsv.gz"), {},
                {folder_ / "absent", 1, {}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kIo);
    EXPECT_THAT(error.what(), HasSubstr(folder_ / "absent"));
  }
}

TEST_F(PackedCorpus, NeverCrashesOnDamage) {
  write("p", numbered(200, "a\tb"));
  pack("gzip -k p && zstd -q p");
  std::mt19937 random(1);
  for (const std::string name : {"p.gz", "p.zst"}) {
    std::ifstream file(folder_ / name, std::ios::binary);
    const std::string archive{std::istreambuf_iterator<char>(file), {}};
    for (int round = 0; round < 500; ++round) {
      std::string damaged = archive;
      for (std::size_t i = 1 + random() % 3; i > 0; --i) {
        damaged[random() % damaged.size()] = static_cast<char>(random());
      }
      if (random() % 3 == 0) damaged.resize(random() % damaged.size());
      try {
        open(one_file(CorpusFormat::kTsv, write("x" + name, damaged)));
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kData) << error.what();
      }
    }
  }
}

}  // namespace
}  // namespace traind
