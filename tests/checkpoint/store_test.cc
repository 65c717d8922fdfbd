#include "model/checkpoint/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "model/base/error.h"
#include "tests/base/scratch_folder.h"
#include "tests/checkpoint/faulty_files.h"
#include "tests/checkpoint/sample.h"
#include "tests/checkpoint/sealed.h"

namespace traind {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

template <typename Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {ErrorKind::kCancelled, ""};
}

class Store : public testing::Test {
 protected:
  std::string path(std::int64_t step) const { return folder / checkpoint_name(step); }
  void save(std::initializer_list<std::int64_t> steps) {
    for (const std::int64_t step : steps) store.save(step, sample.view());
  }
  void tear(std::int64_t step) const {
    const std::string file = folder / checkpoint_name(step);
    fs::resize_file(file, fs::file_size(file) - 5);
  }
  // Damage that the header does not show.
  void flip_last_byte(std::int64_t step) const {
    std::fstream file(folder / checkpoint_name(step),
                      std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(-1, std::ios::end);
    const char last = static_cast<char>(file.get());
    file.seekp(-1, std::ios::end);
    file.put(static_cast<char>(last ^ 1));
  }
  std::vector<std::string> names(std::initializer_list<std::int64_t> steps) const {
    std::vector<std::string> names;
    for (const std::int64_t step : steps) names.push_back(checkpoint_name(step));
    return names;
  }

  const ScratchFolder folder;
  const Sample sample{};
  CheckpointStore store{posix_files(), folder.path()};
  std::vector<std::pair<std::string, std::string>> bad;
  const std::function<void(const std::string&, const std::string&)> on_bad =
      [this](const std::string& file, const std::string& why) { bad.emplace_back(file, why); };
};

TEST(CheckpointName, IsItsStepAndNothingElseIs) {
  EXPECT_EQ(checkpoint_name(1234), "checkpoint-000000001234.safetensors");
  for (const std::int64_t step : {std::int64_t{0}, std::int64_t{999'999'999'999},
                                  std::int64_t{1'000'000'000'000}, INT64_MAX}) {
    EXPECT_EQ(step_of_checkpoint(checkpoint_name(step)), step);
  }
  for (const std::string name :
       {"", "checkpoint-.safetensors", "checkpoint-1.safetensors", "checkpoint-00000000123",
        "checkpoint-0000000001234.safetensors", "checkpoint--00000001234.safetensors",
        "checkpoint-+00000001234.safetensors", "checkpoint-00000000123x.safetensors",
        "checkpoint-99999999999999999999.safetensors", "Checkpoint-000000001234.safetensors",
        "checkpoint-000000001234.safetensors.tmp", "checkpoint-safetensors",
        "../checkpoint-000000001234.safetensors"}) {
    EXPECT_EQ(step_of_checkpoint(name), -1) << name;
  }
  EXPECT_EQ(error_of([] { checkpoint_name(-1); }).kind(), ErrorKind::kInternal);
}

TEST_F(Store, GivesBackWhatWasSaved) {
  std::uint64_t written = 0;
  store.save(7, sample.view(), [&](std::uint64_t bytes) { written = bytes; });
  const auto newest = store.newest_good(on_bad);
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->step, 7);
  EXPECT_EQ(newest->file, checkpoint_name(7));
  EXPECT_TRUE(is_same(newest->content, sample.view()));
  EXPECT_EQ(written, fs::file_size(path(7)));
  EXPECT_THAT(bad, IsEmpty());
}

TEST_F(Store, IsEmptyWithoutCheckpoints) {
  std::ofstream(folder / "notes.txt") << "not ours";
  EXPECT_THAT(store.list(), IsEmpty());
  EXPECT_FALSE(store.newest_good(on_bad));
}

TEST_F(Store, ListsNewestFirstByStep) {
  save({9, 1'000'000'000'000, 10, 999'999'999'999});
  EXPECT_EQ(store.list(), names({1'000'000'000'000, 999'999'999'999, 10, 9}));
}

TEST_F(Store, FallsBackWhenNewestIsTorn) {
  save({1, 2, 3, 4});
  tear(4);
  flip_last_byte(3);
  const auto newest = store.newest_good(on_bad);
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->step, 2);
  EXPECT_TRUE(is_same(newest->content, sample.view()));
  EXPECT_THAT(bad, ElementsAre(Pair(checkpoint_name(4), HasSubstr("cut off")),
                               Pair(checkpoint_name(3), HasSubstr("checksum"))));
  EXPECT_EQ(store.list(), names({4, 3, 2, 1}));
}

TEST_F(Store, RefusesWhenNoneIsGood) {
  save({1, 2});
  tear(1);
  tear(2);
  const Error error = error_of([&] { store.newest_good(on_bad); });
  EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
  EXPECT_THAT(error.what(), HasSubstr("none of the 2 checkpoints"));
  EXPECT_EQ(bad.size(), 2u);
  EXPECT_EQ(store.list(), names({2, 1}));
}

TEST_F(Store, PassesOverWhatWasSetAsideAndSaysSo) {
  save({1, 2, 3});
  fs::rename(path(3), path(3) + kQuarantineSuffix);
  EXPECT_EQ(store.newest_good(on_bad)->step, 2);
  EXPECT_THAT(bad, ElementsAre(Pair(checkpoint_name(3) + kQuarantineSuffix,
                                    HasSubstr("take .quarantined off its name"))));
  EXPECT_EQ(store.list(), names({2, 1}));
  // A new one of that step makes the old one history.
  save({3});
  bad.clear();
  EXPECT_EQ(store.newest_good(on_bad)->step, 3);
  EXPECT_THAT(bad, IsEmpty());
  EXPECT_EQ(store.prune(1, -1), names({2, 1}));
  EXPECT_TRUE(fs::exists(path(3) + kQuarantineSuffix));
}

TEST_F(Store, DoesNotTakeAFolderWithEverythingSetAsideForAFreshRun) {
  save({1, 2});
  tear(1);
  fs::rename(path(2), path(2) + kQuarantineSuffix);
  const Error torn_too = error_of([&] { store.newest_good(on_bad); });
  EXPECT_EQ(torn_too.kind(), ErrorKind::kCorrupt);
  EXPECT_THAT(torn_too.what(), HasSubstr("none of the 2 checkpoints"));
  EXPECT_THAT(torn_too.what(), HasSubstr("1 of them were set aside"));
  fs::remove(path(1));
  const Error alone = error_of([&] { store.newest_good(on_bad); });
  EXPECT_EQ(alone.kind(), ErrorKind::kCorrupt);
}

TEST_F(Store, SaysWhichFileItIsAboutToRead) {
  save({1, 2, 3});
  tear(3);
  fs::rename(path(2), path(2) + kQuarantineSuffix);
  std::vector<std::string> read;
  store.newest_good(
      on_bad, {.on_load = [&](const std::string& file) { read.push_back(file); }, .accept = {}});
  EXPECT_EQ(read, names({3, 1}));
}

TEST_F(Store, PassesOverAnIntactFileThatIsNotAccepted) {
  save({1, 2});
  const auto accept = [](const LoadedCheckpoint& loaded) {
    if (loaded.step == 2) throw Error(ErrorKind::kCorrupt, "it belongs to somebody else");
  };
  EXPECT_EQ(store.newest_good(on_bad, {.on_load = {}, .accept = accept})->step, 1);
  EXPECT_THAT(bad, ElementsAre(Pair(checkpoint_name(2), "it belongs to somebody else")));
  // It is somebody's, so it is not ours to remove.
  save({3, 4});
  EXPECT_EQ(store.prune(1, -1), names({3, 1}));
  EXPECT_EQ(store.list(), names({4, 2}));
}

TEST_F(Store, DoesNotTakeALostFolderForAFreshRun) {
  save({1});
  fs::remove_all(folder.path());
  EXPECT_EQ(error_of([&] { store.newest_good(on_bad); }).kind(), ErrorKind::kIo);
}

TEST_F(Store, SkipsWhatIsNoCheckpoint) {
  save({1});
  std::ofstream(path(2)) << "";
  std::ofstream(path(3)) << "hello";
  fs::create_directory(path(4));
  ASSERT_EQ(::mkfifo(path(5).c_str(), 0600), 0);
  fs::create_symlink("nowhere", path(6));
  EXPECT_EQ(store.newest_good(on_bad)->step, 1);
  EXPECT_EQ(bad.size(), 5u);
}

TEST_F(Store, FindsRenamedAndSwappedFiles) {
  save({1, 2});
  fs::copy_file(path(1), path(3));
  EXPECT_EQ(store.newest_good(on_bad)->step, 2);
  EXPECT_THAT(bad, ElementsAre(Pair(checkpoint_name(3), HasSubstr("holds step 1"))));
}

// It is not damaged, so training must not go on from an older one as if it were.
TEST_F(Store, DoesNotPassOverANewerFormat) {
  save({1});
  std::ofstream(path(2), std::ios::binary) << sealed_file(
      R"({"__metadata__":{"traind.format":"2","traind.header_xxh64":"0000000000000000"}})", "");
  const Error error = error_of([&] { store.newest_good(on_bad); });
  EXPECT_EQ(error.kind(), ErrorKind::kState);
  EXPECT_THAT(error.what(), HasSubstr(path(2)));
}

TEST_F(Store, TakesNoMemoryForWhatAFileOnlyClaims) {
  save({1});
  std::ofstream(path(2)) << "12345678";
  fs::resize_file(path(2), std::uintmax_t{1} << 42);
  EXPECT_EQ(store.newest_good(on_bad)->step, 1);
}

TEST_F(Store, LoadNamesTheFileAndTheReason) {
  save({1});
  tear(1);
  const Error torn = error_of([&] { store.load(checkpoint_name(1)); });
  EXPECT_EQ(torn.kind(), ErrorKind::kCorrupt);
  EXPECT_THAT(torn.what(), HasSubstr(path(1)));
  EXPECT_EQ(error_of([&] { store.load(checkpoint_name(2)); }).kind(), ErrorKind::kNotFound);
  EXPECT_EQ(error_of([&] { store.load("../" + checkpoint_name(1)); }).kind(), ErrorKind::kNotFound);
}

TEST_F(Store, PruneKeepsTheNewestAndTheBest) {
  save({1, 2, 3, 4, 5, 6});
  EXPECT_EQ(store.prune(2, 3), names({4, 2, 1}));
  EXPECT_EQ(store.list(), names({6, 5, 3}));
  EXPECT_THAT(store.prune(2, 3), IsEmpty());
  EXPECT_EQ(store.prune(2, -1), names({3}));
}

TEST_F(Store, PruneKeepsAtLeastOne) {
  save({1, 2});
  store.prune(0, -1);
  EXPECT_EQ(store.list(), names({2}));
}

TEST_F(Store, PruneRemovesNothingBeforeAnythingWasSaved) {
  save({1, 2, 3});
  CheckpointStore fresh(posix_files(), folder.path());
  EXPECT_THAT(fresh.prune(1, -1), IsEmpty());
}

TEST_F(Store, PruneLeavesNewerFilesOfAnotherHistory) {
  save({100, 200});
  CheckpointStore resumed(posix_files(), folder.path());
  resumed.save(150, sample.view());
  EXPECT_EQ(resumed.prune(1, -1), names({100}));
  EXPECT_EQ(resumed.list(), names({200, 150}));
}

TEST_F(Store, PruneNeverRemovesWhatItCannotReadNorCountsIt) {
  save({1, 2, 3, 4, 5});
  tear(3);
  std::ofstream(path(2)) << "foreign";
  EXPECT_EQ(store.prune(2, -1), names({1}));
  EXPECT_EQ(store.list(), names({5, 4, 3, 2}));
}

TEST_F(Store, PruneLeavesWhatOnlyAFullReadingFoundBad) {
  save({1, 2, 3});
  flip_last_byte(2);
  EXPECT_EQ(error_of([&] { store.load(checkpoint_name(2)); }).kind(), ErrorKind::kCorrupt);
  EXPECT_EQ(store.prune(1, -1), names({1}));
  EXPECT_EQ(store.list(), names({3, 2}));
}

TEST_F(Store, SaveReplacesATornFileOfTheSameStep) {
  save({1, 2});
  tear(2);
  EXPECT_EQ(store.newest_good(on_bad)->step, 1);
  save({2});
  EXPECT_EQ(store.newest_good(on_bad)->step, 2);
}

// Whoever waits for minutes of reading shows life meanwhile, and may be asked to stop: that makes
// no file a bad one.
TEST_F(Store, TellsOfReadingAndGivesItUpWhenToldSo) {
  save({1, 2});
  bool stop = true;
  int pieces = 0;
  LoadHooks hooks;
  hooks.on_read = [&] {
    ++pieces;
    if (stop) throw Error(ErrorKind::kCancelled, "stopped");
  };
  EXPECT_EQ(error_of([&] { store.newest_good({}, hooks); }).kind(), ErrorKind::kCancelled);
  EXPECT_EQ(pieces, 1);
  stop = false;
  EXPECT_EQ(store.newest_good({}, hooks)->step, 2);
  EXPECT_GT(pieces, 1);
}

TEST_F(Store, FirstSaveRemovesLeftoversOfOursAlone) {
  const std::string leftover = path(5) + kTemporarySuffix;
  std::ofstream(leftover) << "torn";
  std::ofstream(folder / "mine.tmp") << "not the store's";
  EXPECT_THAT(store.list(), IsEmpty());
  EXPECT_TRUE(fs::exists(leftover));
  save({1});
  EXPECT_FALSE(fs::exists(leftover));
  EXPECT_TRUE(fs::exists(folder / "mine.tmp"));
}

// One fsync at the end of a large file would look like a hang on a slow disk.
TEST_F(Store, SyncsALargeFileAsItGrows) {
  const std::vector<float> large(std::size_t{40} << 20, 1.0f);
  FaultyFiles counting(0, {});
  CheckpointStore slow(counting, folder.path());
  std::vector<std::uint64_t> reports;
  slow.save(1, {{}, {{"large", {40, 1 << 20}, large}}},
            [&](std::uint64_t bytes) { reports.push_back(bytes); });
  EXPECT_GE(counting.syncs(), 6);  // 160 MiB: at 4, 12, 28, 60, 124 and the end, or more often
  EXPECT_TRUE(std::is_sorted(reports.begin(), reports.end()));
  EXPECT_GE(reports.size(), 40u);
  EXPECT_EQ(reports.back(), fs::file_size(path(1)));
}

}  // namespace
}  // namespace traind
