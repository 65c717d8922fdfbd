#include "model/checkpoint/writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "tests/base/scratch_folder.h"
#include "tests/checkpoint/faulty_files.h"

namespace traind {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A disk that stands still at each write until let on. Every write is one step.
class SteppedFiles final : public FileOps {
 public:
  // How many writes may be done in all.
  void allow(int writes) {
    const std::lock_guard lock(mutex_);
    allowed_ = writes;
    changed_.notify_all();
  }
  void allow_all() { allow(1'000'000); }
  // How many may be done beside those that were asked for.
  void allow_more(int writes) {
    std::unique_lock lock(mutex_);
    allowed_ = wanted_ + writes;
  }
  // A write that may not be done yet has been asked for.
  void until_waiting() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return wanted_ > allowed_; });
  }

  int create(const std::string& path) override { return posix_files().create(path); }
  void write(int fd, std::span<const std::byte> bytes, const std::string& path) override {
    {
      std::unique_lock lock(mutex_);
      ++wanted_;
      changed_.notify_all();
      changed_.wait(lock, [&] { return wanted_ <= allowed_; });
    }
    posix_files().write(fd, bytes, path);
  }
  void sync(int, const std::string&) override {}
  void close(int fd) noexcept override { posix_files().close(fd); }
  void rename(const std::string& from, const std::string& to) override {
    posix_files().rename(from, to);
  }
  void remove(const std::string& path) override { posix_files().remove(path); }
  void sync_directory(const std::string&) override {}

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int wanted_ = 0;
  int allowed_ = 0;
};

// A snapshot that is there at once.
std::function<SaveRequest::Row()> holding(std::vector<float> row) {
  const auto kept = std::make_shared<const std::vector<float>>(std::move(row));
  return [kept] { return [kept] { return std::span<const float>(*kept); }; };
}

std::vector<float> counting_from(float value) {
  std::vector<float> row(10);
  std::iota(row.begin(), row.end(), value);
  return row;
}

// Three tensors in a row of 10 floats; the first two are weights.
SaveRequest request_of(std::int64_t step, float value) {
  SaveRequest request;
  request.step = step;
  request.keep = 2;
  request.metadata = {{"step", std::to_string(step)}};
  request.tensors = {{"a", {2, 3}, 0, true}, {"b", {3}, 6, true}, {"a.moment", {1}, 9, false}};
  request.row_size = 10;
  request.snapshot = holding(counting_from(value));
  return request;
}

class Writer : public testing::Test {
 protected:
  const ScratchFolder folder;
};

TEST_F(Writer, SavesWhatWasTaken) {
  CheckpointStore store(posix_files(), folder.path());
  CheckpointWriter writer(store);
  ASSERT_TRUE(writer.submit(request_of(5, 0.5f), false));
  const auto result = writer.wait();
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->error) << result->error->what();
  EXPECT_EQ(result->step, 5);
  EXPECT_EQ(result->file, checkpoint_name(5));
  EXPECT_EQ(result->bytes, read_whole(folder / checkpoint_name(5)).size());
  EXPECT_GT(result->stall_seconds, 0);
  EXPECT_GT(result->write_seconds, 0);
  const CheckpointContent content = store.load(result->file).content;
  EXPECT_THAT(content.metadata,
              ElementsAre(testing::Pair("step", "5"), testing::Pair(kDigestKey, result->digest)));
  EXPECT_THAT(content.tensor("a").shape, ElementsAre(2, 3));
  EXPECT_THAT(content.tensor("a").values, ElementsAre(0.5f, 1.5f, 2.5f, 3.5f, 4.5f, 5.5f));
  EXPECT_THAT(content.tensor("b").values, ElementsAre(6.5f, 7.5f, 8.5f));
  EXPECT_THAT(content.tensor("a.moment").values, ElementsAre(9.5f));
}

TEST_F(Writer, DigestsTheWeightsAlone) {
  CheckpointStore store(posix_files(), folder.path());
  CheckpointWriter writer(store);
  writer.submit(request_of(1, 0.0f), false);
  const std::string digest = writer.wait()->digest;
  const std::vector<float> row = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  const std::span<const float> values(row);
  EXPECT_EQ(digest, digest_of(std::vector<TensorView>{{"a", {2, 3}, values.first(6)},
                                                      {"b", {3}, values.subspan(6, 3)}}));
  SaveRequest other = request_of(2, 0.0f);
  std::vector<float> other_moment = counting_from(0);
  other_moment[9] = -1;
  other.snapshot = holding(other_moment);
  writer.submit(std::move(other), false);
  EXPECT_EQ(writer.wait()->digest, digest);
}

// The trainer goes on with the next step while the snapshot is still on its way.
TEST_F(Writer, WaitsForTheSnapshotOnItsOwnThread) {
  CheckpointStore store(posix_files(), folder.path());
  CheckpointWriter writer(store);
  std::promise<void> arrived;
  std::thread::id waited;
  const std::vector<float> row = counting_from(3);
  SaveRequest request = request_of(1, 0);
  request.snapshot = [&] {
    return [&]() -> std::span<const float> {
      arrived.get_future().wait();
      waited = std::this_thread::get_id();
      return row;
    };
  };
  ASSERT_TRUE(writer.submit(std::move(request), false)) << "and returned";
  EXPECT_FALSE(writer.poll());
  arrived.set_value();
  const auto result = writer.wait();
  EXPECT_FALSE(result->error);
  EXPECT_NE(waited, std::this_thread::get_id());
  EXPECT_EQ(store.load(result->file).content.tensor("b").values[0], 9);
}

TEST_F(Writer, ReportsASnapshotThatNeverArrives) {
  CheckpointStore store(posix_files(), folder.path());
  CheckpointWriter writer(store);
  SaveRequest request = request_of(1, 0);
  request.snapshot = [] {
    return []() -> std::span<const float> { throw Error(ErrorKind::kDeviceLost, "it fell over"); };
  };
  writer.submit(std::move(request), false);
  const auto result = writer.wait();
  ASSERT_TRUE(result->error);
  EXPECT_EQ(result->error->kind(), ErrorKind::kDeviceLost);
  EXPECT_THAT(store.list(), IsEmpty());
}

TEST_F(Writer, TakesNothingWhileASaveIsUnderWay) {
  SteppedFiles files;
  CheckpointStore store(files, folder.path());
  CheckpointWriter writer(store);
  ASSERT_TRUE(writer.submit(request_of(1, 1.0f), false));
  bool taken = false;
  SaveRequest second = request_of(2, 2.0f);
  second.snapshot = [&] {
    taken = true;
    return SaveRequest::Row();
  };
  EXPECT_FALSE(writer.submit(std::move(second), false));
  EXPECT_FALSE(taken);
  EXPECT_FALSE(writer.poll());
  files.allow_all();
  EXPECT_EQ(writer.wait()->step, 1);
  EXPECT_THAT(store.list(), ElementsAre(checkpoint_name(1)));
}

TEST_F(Writer, GivesResultsInOrderWhenASubmitWaits) {
  CheckpointStore store(posix_files(), folder.path());
  CheckpointWriter writer(store);
  for (int step = 1; step <= 3; ++step) EXPECT_TRUE(writer.submit(request_of(step, 1.0f), true));
  EXPECT_EQ(writer.wait()->step, 1);
  EXPECT_EQ(writer.wait()->step, 2);
  const auto last = writer.poll();
  EXPECT_EQ(last->step, 3);
  EXPECT_THAT(last->pruned, ElementsAre(checkpoint_name(1)));
  EXPECT_FALSE(writer.poll());
  EXPECT_FALSE(writer.wait());
}

TEST_F(Writer, LetsGoOnlyWhenTheSaveIsDone) {
  SteppedFiles files;
  CheckpointStore store(files, folder.path());
  std::thread disk;
  {
    CheckpointWriter writer(store);
    writer.submit(request_of(1, 1.0f), false);
    disk = std::thread([&] { files.allow_all(); });
  }
  EXPECT_EQ(store.newest_good({})->step, 1);
  disk.join();
}

// Each write waits for the sign of life of the one before: without signs this never ends.
TEST_F(Writer, ShowsLifeWheneverBytesMove) {
  SteppedFiles files;
  CheckpointStore store(files, folder.path());
  CheckpointWriter writer(store);
  writer.submit(request_of(1, 1.0f), false);
  files.allow(1);
  int signs = 0;
  const auto result = writer.wait([&] { files.allow(1 + ++signs); });
  EXPECT_FALSE(result->error);
  EXPECT_GE(signs, 3);  // four writes: the header and three tensors
}

TEST_F(Writer, ShowsNoLifeWhileNothingMoves) {
  SteppedFiles files;
  CheckpointStore store(files, folder.path());
  CheckpointWriter writer(store);
  writer.submit(request_of(1, 1.0f), false);
  std::mutex mutex;
  std::condition_variable changed;
  int signs = 0;
  // The digest moves once, then the disk stands still: one sign at most.
  std::thread disk([&] {
    std::unique_lock lock(mutex);
    EXPECT_FALSE(changed.wait_for(lock, 900ms, [&] { return signs > 1; }));
    files.allow_all();
  });
  writer.wait([&] {
    const std::lock_guard lock(mutex);
    ++signs;
    changed.notify_all();
  });
  disk.join();
}

// Of 40,000 bytes in the row, each of the first two tensors has 16,000.
SaveRequest large_request(std::int64_t step) {
  SaveRequest request = request_of(step, 0);
  request.tensors = {{"a", {4000}, 0, true}, {"b", {4000}, 4000, true}, {"c", {2000}, 8000, false}};
  request.row_size = 10000;
  request.snapshot = holding(std::vector<float>(10000, 1.0f));
  return request;
}

TEST_F(Writer, GivesUpInAHurryWhatIsNotHalfDone) {
  SteppedFiles files;
  CheckpointStore store(files, folder.path());
  CheckpointWriter writer(store);
  const auto save_in_a_hurry_after = [&](int writes, std::int64_t step) {
    files.allow_more(writes);
    writer.submit(large_request(step), false);
    files.until_waiting();
    writer.hurry();
    files.allow_all();
    return *writer.wait();
  };
  const SaveResult early = save_in_a_hurry_after(2, 1);
  ASSERT_TRUE(early.error);
  EXPECT_EQ(early.error->kind(), ErrorKind::kCancelled);
  EXPECT_THAT(store.list(), IsEmpty());
  EXPECT_FALSE(save_in_a_hurry_after(3, 2).error);
  EXPECT_THAT(store.list(), ElementsAre(checkpoint_name(2)));
}

// Somebody who goes on with steps meanwhile sees by it whether the save hangs.
TEST_F(Writer, SaysHowLongASaveHasNotMoved) {
  SteppedFiles files;
  CheckpointStore store(files, folder.path());
  CheckpointWriter writer(store);
  EXPECT_EQ(writer.still_seconds(), 0) << "none is under way";
  writer.submit(request_of(1, 1.0f), false);
  while (writer.still_seconds() < 0.05) std::this_thread::yield();
  files.allow(1);
  while (writer.still_seconds() >= 0.05) std::this_thread::yield();
  while (writer.still_seconds() < 0.05) std::this_thread::yield();
  files.allow_all();
  ASSERT_TRUE(writer.wait());
  EXPECT_EQ(writer.still_seconds(), 0);
}

TEST_F(Writer, ReportsAFailedSaveAndTheNextWorks) {
  // A save is 8 operations: create, 4 writes, sync, rename, sync of the folder. The 18th is the
  // first write of the third save.
  FaultyFiles files(18, {ENOSPC, true, false});
  CheckpointStore store(files, folder.path());
  CheckpointWriter writer(store);
  for (const int step : {1, 2}) {
    writer.submit(request_of(step, 1.0f), false);
    EXPECT_FALSE(writer.wait()->error);
  }
  SaveRequest request = request_of(3, 3.0f);
  request.keep = 1;
  writer.submit(std::move(request), false);
  const auto failed = writer.wait();
  ASSERT_TRUE(failed->error);
  EXPECT_EQ(failed->error->kind(), ErrorKind::kNoSpace);
  EXPECT_THAT(failed->error->what(), HasSubstr(checkpoint_name(3)));
  EXPECT_THAT(failed->pruned, IsEmpty());
  EXPECT_THAT(store.list(), ElementsAre(checkpoint_name(2), checkpoint_name(1)));
  request = request_of(4, 4.0f);
  request.keep = 1;
  writer.submit(std::move(request), false);
  const auto result = writer.wait();
  EXPECT_FALSE(result->error);
  EXPECT_THAT(result->pruned, ElementsAre(checkpoint_name(2), checkpoint_name(1)));
  EXPECT_EQ(store.newest_good({})->content.tensor("a").values[0], 4.0f);
}

TEST_F(Writer, TriesAgainFromTheSameSnapshotIntoANewFile) {
  // The sixth operation is the sync of the file.
  FaultyFiles files(6, {EIO, false, false});
  CheckpointStore store(files, folder.path());
  CheckpointWriter writer(store);
  int taken = 0;
  SaveRequest request = request_of(3, 3.0f);
  request.snapshot = [&, take = request.snapshot] {
    ++taken;
    return take();
  };
  writer.submit(std::move(request), false);
  const auto failed = writer.wait();
  ASSERT_TRUE(failed->error);
  EXPECT_THAT(failed->digest, Not(IsEmpty())) << "known although nothing was written";
  EXPECT_THAT(store.list(), IsEmpty());
  writer.again();
  const auto result = writer.wait();
  EXPECT_FALSE(result->error);
  EXPECT_EQ(result->digest, failed->digest);
  EXPECT_EQ(taken, 1);
  EXPECT_FALSE(files.trusted_a_failed_sync());
  const CheckpointContent content = store.newest_good({})->content;
  EXPECT_EQ(content.tensor("a").values[0], 3.0f);
  EXPECT_THAT(content.metadata, testing::Contains(testing::Pair("step", "3")));
}

TEST_F(Writer, HasNothingToTryAgainBeforeTheFirstSave) {
  CheckpointStore store(posix_files(), folder.path());
  CheckpointWriter writer(store);
  EXPECT_THROW(writer.again(), Error);
}

TEST_F(Writer, ASaveStandsWhenOnlyPruningFails) {
  // The 17th operation is the removal after the second save of 8 operations.
  FaultyFiles files(17, {EIO, false, false});
  CheckpointStore store(files, folder.path());
  CheckpointWriter writer(store);
  for (const int step : {1, 2}) {
    SaveRequest request = request_of(step, 1.0f);
    request.keep = 1;
    writer.submit(std::move(request), true);
  }
  writer.wait();
  const auto second = writer.wait();
  EXPECT_FALSE(second->error);
  ASSERT_TRUE(second->prune_error);
  EXPECT_THAT(second->prune_error->what(), HasSubstr(checkpoint_name(1)));
  EXPECT_THAT(store.list(), ElementsAre(checkpoint_name(2), checkpoint_name(1)));
}

TEST_F(Writer, SavesNothingWhenTheTakingThrows) {
  CheckpointStore store(posix_files(), folder.path());
  CheckpointWriter writer(store);
  SaveRequest request = request_of(1, 1.0f);
  request.snapshot = []() -> SaveRequest::Row {
    throw Error(ErrorKind::kDevice, "the device fell over");
  };
  try {
    writer.submit(std::move(request), false);
    FAIL() << "the error was swallowed";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kDevice);
  }
  EXPECT_FALSE(writer.wait());
  EXPECT_THAT(store.list(), IsEmpty());
  EXPECT_TRUE(writer.submit(request_of(2, 1.0f), false));
  EXPECT_EQ(writer.wait()->step, 2);
}

TEST_F(Writer, RefusesTensorsOutsideOfTheRow) {
  CheckpointStore store(posix_files(), folder.path());
  CheckpointWriter writer(store);
  const std::vector<SaveRequest::Slot> wrong = {
      {"x", {11}, 0, false},     {"x", {2}, 9, false},
      {"x", {1}, 10, false},     {"x", {0}, 11, false},
      {"x", {-1, -1}, 0, false}, {"x", {std::int64_t{1} << 62, 4, 1}, 0, false}};
  for (const SaveRequest::Slot& slot : wrong) {
    SaveRequest request = request_of(1, 1.0f);
    request.tensors = {slot};
    EXPECT_THROW(writer.submit(std::move(request), false), Error);
  }
  EXPECT_THAT(store.list(), IsEmpty());
}

}  // namespace
}  // namespace traind
