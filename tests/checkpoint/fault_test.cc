// Saving against a disk that fails or loses power at every single operation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "model/base/error.h"
#include "model/checkpoint/store.h"
#include "tests/base/scratch_folder.h"
#include "tests/checkpoint/crashing_files.h"
#include "tests/checkpoint/faulty_files.h"
#include "tests/checkpoint/sample.h"

namespace traind {
namespace {

using testing::IsEmpty;
using testing::Not;

// A checkpoint that says of which step it is.
CheckpointView view_of(const Sample& sample, std::int64_t step) {
  CheckpointView view = sample.view();
  view.metadata["says"] = std::to_string(step);
  return view;
}

std::vector<std::string> temporary_files(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == kTemporarySuffix) names.push_back(entry.path().string());
  }
  return names;
}

// Step of the newest good checkpoint, seen with fresh eyes. Adds to `violations` when a file under
// our name is not whole, or holds something else than was saved.
std::int64_t newest_step(const std::string& folder, std::vector<std::string>& violations) {
  const Sample sample;
  const CheckpointStore store(posix_files(), folder);
  try {
    const auto newest = store.newest_good([&](const std::string& file, const std::string& why) {
      violations.push_back(file + " is bad: " + why);
    });
    if (!newest) return -1;
    if (!is_same(newest->content, view_of(sample, newest->step))) {
      violations.push_back(newest->file + " holds something else");
    }
    return newest->step;
  } catch (const Error& error) {
    violations.emplace_back(error.what());
    return -1;
  }
}

// Saves steps 2 and 3 over step 1, pruning to the newest; gives the last step said to be durable.
std::int64_t save_two(FileOps& files, const std::string& folder) {
  const Sample sample;
  std::int64_t durable = 1;
  try {
    CheckpointStore store(files, folder);
    for (const std::int64_t step : {2, 3}) {
      store.save(step, view_of(sample, step));
      durable = step;
      store.prune(1, -1);
    }
  } catch (const Error&) {
    return durable;
  }
  return durable;
}

// A save that is neither failed nor cut off; without real syncs, which would take most of the time.
void save_undisturbed(const std::string& folder, std::int64_t step) {
  const Sample sample;
  ForgetfulFiles files(posix_files(), false, false);
  CheckpointStore(files, folder).save(step, view_of(sample, step));
}

int operations_of_two_saves() {
  const ScratchFolder folder;
  save_undisturbed(folder.path(), 1);
  FaultyFiles files(0, {});
  save_two(files, folder.path());
  return files.operations();
}

class DiskFault : public testing::TestWithParam<Fault> {};

TEST_P(DiskFault, AtAnyOperationLeavesAWholeCheckpointAndTheNextSaveWorks) {
  const int operations = operations_of_two_saves();
  ASSERT_GE(operations, 20);
  for (int nth = 1; nth <= operations; ++nth) {
    SCOPED_TRACE("operation " + std::to_string(nth));
    const ScratchFolder folder;
    save_undisturbed(folder.path(), 1);
    FaultyFiles files(nth, GetParam());
    const std::int64_t durable = save_two(files, folder.path());
    EXPECT_FALSE(files.trusted_a_failed_sync());

    std::vector<std::string> violations;
    const std::int64_t newest = newest_step(folder.path(), violations);
    EXPECT_THAT(violations, IsEmpty());
    EXPECT_GE(newest, durable);
    if (!GetParam().lasting) {
      EXPECT_THAT(temporary_files(folder.path()), IsEmpty());
    }

    save_undisturbed(folder.path(), 4);
    EXPECT_EQ(newest_step(folder.path(), violations), 4);
    EXPECT_THAT(violations, IsEmpty());
    EXPECT_THAT(temporary_files(folder.path()), IsEmpty());
  }
}

TEST_P(DiskFault, IsNamedAndTheSameStoreGoesOn) {
  const Sample sample;
  const ScratchFolder folder;
  save_undisturbed(folder.path(), 1);
  FaultyFiles files(2, {GetParam().errno_value, GetParam().is_short, false});
  CheckpointStore store(files, folder.path());
  try {
    store.save(2, view_of(sample, 2));
    FAIL() << "the fault was swallowed";
  } catch (const Error& error) {
    const bool full = GetParam().errno_value == ENOSPC || GetParam().errno_value == EDQUOT;
    EXPECT_EQ(error.kind(), full ? ErrorKind::kNoSpace : ErrorKind::kIo);
  }
  EXPECT_THAT(store.list(), testing::ElementsAre(checkpoint_name(1)));
  store.save(2, view_of(sample, 2));
  EXPECT_EQ(store.newest_good({})->step, 2);
}

// The disk fails for a while, and with it the removal of what a failed save has left.
TEST(PassingFault, LeavesNothingBehindOnceItIsOver) {
  const Sample sample;
  for (int nth = 2; nth <= 9; ++nth) {
    SCOPED_TRACE("operation " + std::to_string(nth));
    const ScratchFolder folder;
    FaultyFiles files(nth, {EIO, true, true});
    CheckpointStore store(files, folder.path());
    EXPECT_THROW(store.save(2, view_of(sample, 2)), Error);
    EXPECT_THROW(store.save(3, view_of(sample, 3)), Error);
    files.heal();
    store.save(4, view_of(sample, 4));
    EXPECT_THAT(temporary_files(folder.path()), IsEmpty());
    EXPECT_FALSE(files.trusted_a_failed_sync());
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, DiskFault,
                         testing::Values(Fault{EIO, false, false}, Fault{EIO, false, true},
                                         Fault{ENOSPC, true, false}, Fault{ENOSPC, true, true},
                                         Fault{ENOSPC, false, false}, Fault{EDQUOT, true, false},
                                         Fault{EFBIG, true, false}),
                         [](const auto& row) {
                           return "Errno" + std::to_string(row.param.errno_value) +
                                  (row.param.is_short ? "Short" : "") +
                                  (row.param.lasting ? "Lasting" : "");
                         });

// Cuts the power at every operation in every way; gives what was wrong afterwards.
std::vector<std::string> cut_everywhere(bool syncs, bool syncs_directories) {
  const int operations = operations_of_two_saves();
  std::vector<std::string> violations;
  for (int nth = 1; nth <= operations + 1; ++nth) {
    for (int way = 0; way < 23; ++way) {
      const Loss loss = way < 3 ? static_cast<Loss>(way) : Loss::kRandom;
      const ScratchFolder folder;
      save_undisturbed(folder.path(), 1);
      CrashingFiles disk(folder.path(), nth);
      ForgetfulFiles files(disk, syncs, syncs_directories);
      const std::int64_t durable = save_two(files, folder.path());
      disk.lose_power(loss, RandomStream(static_cast<std::uint64_t>(nth), RandomUse::kNoise,
                                         static_cast<std::uint64_t>(way)));
      const std::int64_t newest = newest_step(folder.path(), violations);
      if (newest < durable) {
        violations.push_back("durable was " + std::to_string(durable) + ", found " +
                             std::to_string(newest));
      }
      save_undisturbed(folder.path(), 4);
      if (newest_step(folder.path(), violations) != 4 || !temporary_files(folder.path()).empty()) {
        violations.emplace_back("the next save failed, or left something behind");
      }
    }
  }
  return violations;
}

TEST(PowerCut, AtAnyOperationLosesNothingThatWasDurable) {
  EXPECT_THAT(cut_everywhere(true, true), IsEmpty());
}

// The tests of the test: a writer without either sync must be caught.
TEST(PowerCut, WithoutSyncOfFilesIsCaught) {
  EXPECT_THAT(cut_everywhere(false, true), Not(IsEmpty()));
}

TEST(PowerCut, WithoutSyncOfTheFolderIsCaught) {
  EXPECT_THAT(cut_everywhere(true, false), Not(IsEmpty()));
}

}  // namespace
}  // namespace traind
