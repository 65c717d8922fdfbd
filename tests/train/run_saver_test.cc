// A disk that refuses checkpoints for a while: training goes on or waits as the run file says,
// tries again by itself, and ends as if nothing had happened. No epoch is told before it is
// durable.
#include "model/train/run_saver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "model/base/error.h"
#include "model/checkpoint/store.h"
#include "tests/train/trainer_case.h"

namespace traind {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

// The real disk, which refuses new files while it is full.
class FillingDisk final : public FileOps {
 public:
  std::atomic<bool> full{false};
  std::atomic<int> refused{0};

  int create(const std::string& path) override {
    if (full) ++refused;
    if (full) throw Error(ErrorKind::kNoSpace, path + ": no space left on device");
    return posix_files().create(path);
  }
  void write(int fd, std::span<const std::byte> bytes, const std::string& path) override {
    posix_files().write(fd, bytes, path);
  }
  void sync(int, const std::string&) override {}
  void close(int fd) noexcept override { posix_files().close(fd); }
  void rename(const std::string& from, const std::string& to) override {
    posix_files().rename(from, to);
  }
  void remove(const std::string& path) override { posix_files().remove(path); }
  void sync_directory(const std::string&) override {}
};

class RunSaverTest : public TrainerTest {
 protected:
  RunSaverTest() { run_.checkpoint.every_batches = 0; }

  void train_on_disk(const std::string& name, Recorder& recorder, TrainerControl& control) {
    TrainerOptions options;
    options.folder = folder(name);
    options.files = &disk_;
    options.patience = patience_;
    Trainer(run_, options, recorder, control).run();
  }

  static bool is_row_in_epoch(const Event& event, int epoch) {
    const auto* row = std::get_if<MetricRow>(&event);
    return row != nullptr && row->epoch == epoch;
  }

  FillingDisk disk_;
  SavePatience patience_ = {std::chrono::milliseconds(2), std::chrono::milliseconds(10),
                            std::chrono::milliseconds(30)};
};

std::string trouble_in(const Event& event) {
  const auto* progress = std::get_if<Progress>(&event);
  return progress == nullptr ? "" : progress->trouble;
}

TEST_F(RunSaverTest, TrainingGoesOnAndSavesAgainByItselfWhenThereIsRoom) {
  const auto whole = train_to_end("whole");
  disk_.full = true;
  TrainerControl control;
  Recorder recorder(control);
  std::vector<int> told_unsaved;
  recorder.then = [&](const Event& event) {
    if (is_row_in_epoch(event, 3)) disk_.full = false;
    const auto* epoch = std::get_if<EpochDone>(&event);
    if (epoch != nullptr && recorder.checkpoints == 0) told_unsaved.push_back(epoch->epoch);
  };
  train_on_disk("run", recorder, control);
  EXPECT_THAT(told_unsaved, IsEmpty());
  ASSERT_THAT(recorder.notices, SizeIs(2)) << "one when it begins, one when it is over";
  EXPECT_THAT(recorder.notices[0], HasSubstr("tried again until it works: "));
  EXPECT_THAT(recorder.notices[0], HasSubstr("no space left"));
  EXPECT_EQ(recorder.notices[1], "checkpoints can be saved again");
  expect_same(recorder, *whole);
}

TEST_F(RunSaverTest, AnEpochIsSavedAsItWasAlsoWhenTrainingHasGoneOn) {
  patience_.first = patience_.longest = std::chrono::milliseconds(0);  // with the next step
  const auto whole = train_to_end("whole");
  TrainerControl control;
  Recorder recorder(control);
  std::vector<std::int64_t> epoch_checkpoints;
  recorder.then = [&](const Event& event) {
    // Full from the first epoch's validation until the second one is under way.
    const auto* progress = std::get_if<Progress>(&event);
    if (progress != nullptr && progress->phase == Phase::kValidating) {
      disk_.full = recorder.rows.rbegin()->second.epoch == 1;
    }
    if (is_row_in_epoch(event, 2)) disk_.full = false;
    const auto* saved = std::get_if<CheckpointSaved>(&event);
    if (saved != nullptr && saved->reason == CheckpointReason::kEpoch) {
      epoch_checkpoints.push_back(saved->step);
      EXPECT_TRUE(saved->step != whole->epochs[1].step || recorder.rows.size() > 6u);
    }
  };
  train_on_disk("run", recorder, control);
  EXPECT_THAT(recorder.notices, SizeIs(2));
  EXPECT_THAT(epoch_checkpoints,
              ElementsAre(whole->epochs[1].step, whole->epochs[2].step, whole->epochs[3].step));
  expect_same(recorder, *whole);
}

// An epoch that was told late has rows of later steps before it: that those are stored says nothing
// about the epoch.
TEST_F(RunSaverTest, TellsALateEpochAgainUntilItIsKnownToBeStored) {
  const auto whole = train_to_end("whole");
  disk_.full = true;
  TrainerControl first;
  Recorder before(first);
  before.then = [&](const Event& event) {
    if (!is_row_in_epoch(event, 2)) return;
    disk_.full = false;
    first.request_stop();
  };
  train_on_disk("run", before, first);
  ASSERT_EQ(before.ends.back().reason, EndReason::kStopRequested);
  TrainerControl second;
  Recorder recorder(second);
  recorder.rows = before.rows;  // acknowledged; what came after them was lost on the way
  train_on_disk("run", recorder, second);
  expect_same(recorder, *whole);
}

TEST_F(RunSaverTest, ARunEndsOnlyWhenItsLastCheckpointIsDurable) {
  const auto whole = train_to_end("whole");
  disk_.full = true;
  TrainerControl control;
  Recorder recorder(control);
  recorder.then = [&](const Event& event) {
    if (recorder.rows.size() == whole->rows.size() &&
        trouble_in(event).starts_with("training waits")) {
      disk_.full = false;
    }
  };
  train_on_disk("run", recorder, control);
  const CheckpointStore store(posix_files(), folder("run").checkpoints());
  EXPECT_THAT(store.list(), Contains(checkpoint_name(whole->ends.back().step)));
  expect_same(recorder, *whole);
}

TEST_F(RunSaverTest, TrainingWaitsWhereTheRunFileSaysSo) {
  const auto whole = train_to_end("whole");
  run_.checkpoint.on_error = SaveTrouble::kPause;
  run_.checkpoint.every_batches = 2;
  patience_.first = patience_.longest = std::chrono::milliseconds(200);
  disk_.full = true;
  TrainerControl control;
  Recorder recorder(control);
  std::size_t rows_when_waiting = 0;
  int signs = 0;
  recorder.then = [&](const Event& event) {
    // Time for the save that the second step has begun to fail and be heard of.
    while (is_row_in_epoch(event, 1) && recorder.rows.size() > 2 && disk_.refused == 0) {
      std::this_thread::yield();
    }
    if (is_row_in_epoch(event, 1)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (!disk_.full || !trouble_in(event).starts_with("training waits")) return;
    EXPECT_THAT(trouble_in(event), HasSubstr("no space left"));
    EXPECT_EQ(std::get<Progress>(event).phase, Phase::kSaving);
    if (++signs == 1) rows_when_waiting = recorder.rows.size();
    EXPECT_EQ(recorder.rows.size(), rows_when_waiting) << "a step was taken";
    if (signs == 3) disk_.full = false;
  };
  const auto begin = std::chrono::steady_clock::now();
  train_on_disk("run", recorder, control);
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(signs, 3);
  EXPECT_LT(rows_when_waiting, 7u) << "it waited, but only after the first epoch";
  EXPECT_LT(recorder.ends.back().trained_seconds, passed.count() - 0.2) << "waiting is no training";
  EXPECT_THAT(recorder.notices,
              ElementsAre(HasSubstr("training waits until one can be saved"), StartsWith("check")));
  expect_same(recorder, *whole);
}

TEST_F(RunSaverTest, AStopThatCannotSaveFailsAndLosesNothingThatWasTold) {
  const auto whole = train_to_end("whole");
  for (const SaveTrouble on_error : {SaveTrouble::kContinue, SaveTrouble::kPause}) {
    run_.checkpoint.on_error = on_error;
    const std::string name = on_error == SaveTrouble::kPause ? "pause" : "continue";
    disk_.full = false;
    TrainerControl first;
    Recorder recorder(first);
    recorder.then = [&](const Event& event) {
      if (is_row_in_epoch(event, 2)) disk_.full = true;
      const bool waits = trouble_in(event).starts_with("training waits");
      if (waits || is_row_in_epoch(event, 3)) first.request_stop();
    };
    failure_of([&] { train_on_disk(name, recorder, first); }, ErrorKind::kNoSpace);
    EXPECT_THAT(recorder.ends, IsEmpty());
    EXPECT_EQ(recorder.epochs.size(), 1u) << "the second one is in no checkpoint";
    disk_.full = false;
    recorder.then = nullptr;
    TrainerControl second;
    train_on_disk(name, recorder, second);
    expect_same(recorder, *whole);
  }
}

TEST_F(RunSaverTest, AStopTriesForAWhile) {
  patience_.at_stop = std::chrono::seconds(30);
  disk_.full = true;
  TrainerControl control;
  Recorder recorder(control);
  recorder.then = [&](const Event& event) {
    if (std::holds_alternative<MetricRow>(event)) control.request_stop();
    if (trouble_in(event).starts_with("training waits")) disk_.full = false;
  };
  train_on_disk("run", recorder, control);
  EXPECT_EQ(recorder.ends.back().reason, EndReason::kStopRequested);
  EXPECT_EQ(recorder.checkpoints, 1);
}

TEST_F(RunSaverTest, TheBestThatIsDurableStaysUntilABetterOneIs) {
  run_.checkpoint.keep = 1;
  const auto whole = train_to_end("whole");
  ASSERT_TRUE(whole->epochs[2].best) << "or this tests nothing";
  // Or, on a slow machine, it would be saved after all before the stop.
  patience_.first = patience_.longest = std::chrono::hours(1);
  TrainerControl control;
  Recorder recorder(control);
  recorder.then = [&](const Event& event) {
    if (is_row_in_epoch(event, 2)) disk_.full = true;
    if (!is_row_in_epoch(event, 3)) return;
    disk_.full = false;
    control.request_stop();  // its checkpoint takes the place of the second epoch's
  };
  train_on_disk("run", recorder, control);
  const CheckpointStore store(posix_files(), folder("run").checkpoints());
  EXPECT_THAT(store.list(), Contains(checkpoint_name(whole->epochs[1].step)));
  EXPECT_THAT(store.list(), Not(Contains(checkpoint_name(whole->epochs[2].step))));
}

// The first epoch's own save is tried again first; what was asked for meanwhile is not forgotten.
TEST_F(RunSaverTest, ASaveThatWasAskedForIsMadeUpFor) {
  disk_.full = true;
  TrainerControl control;
  Recorder recorder(control);
  bool requested = false;
  recorder.then = [&](const Event& event) {
    const auto* row = std::get_if<MetricRow>(&event);
    if (row != nullptr && row->step == 8) control.request_save();
    if (row != nullptr && row->step == 9) disk_.full = false;
    const auto* saved = std::get_if<CheckpointSaved>(&event);
    requested = requested || (saved != nullptr && saved->reason == CheckpointReason::kRequest);
  };
  train_on_disk("run", recorder, control);
  EXPECT_TRUE(requested);
}

}  // namespace
}  // namespace traind
