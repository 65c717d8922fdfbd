// Interrupted equals uninterrupted: whatever ends a worker, the run that goes on from its
// checkpoints ends with the same weights, rows and epochs as one that was never disturbed.
#include "model/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "model/base/error.h"
#include "model/checkpoint/store.h"
#include "tests/train/trainer_case.h"

namespace traind {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(TrainerTest, CompletesAllEpochs) {
  TrainerControl control;
  Recorder whole(control);
  train("whole", whole, control);
  ASSERT_EQ(whole.starts.size(), 1u);
  EXPECT_EQ(whole.starts[0].resumed_step, -1);
  EXPECT_EQ(whole.starts[0].train_examples + whole.starts[0].valid_examples, 60);
  ASSERT_EQ(whole.ends.size(), 1u);
  EXPECT_EQ(whole.ends[0].reason, EndReason::kAllEpochs);
  EXPECT_EQ(whole.epochs.size(), 3u);
  EXPECT_EQ(static_cast<std::int64_t>(whole.rows.size()), whole.ends[0].step);
  EXPECT_EQ(whole.epochs[3].digest, whole.ends[0].digest);
  EXPECT_EQ(whole.epochs[3].samples.size(), 2u);
}

TEST_F(TrainerTest, StoppedAtAnyStepAndResumedEqualsUninterrupted) {
  TrainerControl undisturbed;
  Recorder whole(undisturbed);
  train("whole", whole, undisturbed);
  for (std::int64_t step = 1; step < whole.ends[0].step; ++step) {
    const std::string name = "stopped" + std::to_string(step);
    TrainerControl first;
    Recorder recorder(first);
    recorder.then = [&](const Event& event) {
      const auto* row = std::get_if<MetricRow>(&event);
      if (row != nullptr && row->step == step) first.request_stop();
    };
    train(name, recorder, first);
    ASSERT_EQ(recorder.ends.back().reason, EndReason::kStopRequested) << step;
    ASSERT_EQ(recorder.ends.back().step, step);
    recorder.then = nullptr;
    TrainerControl second;
    train(name, recorder, second);
    EXPECT_EQ(recorder.starts.back().resumed_step, step);
    expect_same(recorder, whole);
  }
}

// A row is the mean over several steps: what was summed up before a kill must not be lost.
TEST_F(TrainerTest, KilledBetweenTwoRowsKeepsTheirSums) {
  run_.report.every_batches = 4;
  run_.checkpoint.every_batches = 3;
  TrainerControl undisturbed;
  Recorder whole(undisturbed);
  train("whole", whole, undisturbed);
  const std::string checkpoint = folder("run").checkpoints() + "/" + checkpoint_name(3);
  train_and_die("run", 4, [&] { return access(checkpoint.c_str(), F_OK) == 0; });
  TrainerControl control;
  Recorder recorder(control);
  train("run", recorder, control);
  ASSERT_EQ(recorder.starts.at(0).resumed_step, 3);
  expect_same(recorder, whole);
}

TEST_F(TrainerTest, KilledAtAnyStepAndResumedEqualsUninterrupted) {
  TrainerControl undisturbed;
  Recorder whole(undisturbed);
  train("whole", whole, undisturbed);
  for (const std::int64_t step : {1, 2, 5, 7, 11, 14}) {
    const std::string name = "killed" + std::to_string(step);
    train_and_die(name, step);
    // What the dead worker told is lost: only what the checkpoint knows comes back.
    TrainerControl control;
    Recorder recorder(control);
    train(name, recorder, control);
    EXPECT_EQ(recorder.ends.back().digest, whole.ends.back().digest) << step;
    for (const auto& [number, row] : recorder.rows) {
      EXPECT_EQ(row.loss, whole.rows.at(number).loss) << number;
    }
  }
}

TEST_F(TrainerTest, TellsAgainWhatWasNotAcknowledged) {
  TrainerControl undisturbed;
  Recorder whole(undisturbed);
  train("whole", whole, undisturbed);
  // Nobody acknowledges: the daemon died with everything still in the pipe.
  TrainerControl first;
  Recorder lost(first, false);
  lost.then = [&](const Event& event) {
    const auto* row = std::get_if<MetricRow>(&event);
    if (row != nullptr && row->epoch == 3) first.request_stop();
  };
  train("run", lost, first);
  TrainerControl second;
  Recorder recorder(second);
  train("run", recorder, second);
  expect_same(recorder, whole);
}

// A worker that died after its epochs' checkpoints could not be saved: the next one trains again
// what the daemon has stored already.
TEST_F(TrainerTest, GoesThroughStepsThatAreStoredAlready) {
  TrainerControl undisturbed;
  Recorder whole(undisturbed);
  train("whole", whole, undisturbed);
  TrainerControl control;
  control.acknowledge(1'000'000);
  Recorder recorder(control);
  train("run", recorder, control);
  expect_same(recorder, whole);
}

TEST_F(TrainerTest, StoppedInValidationValidatesAnew) {
  TrainerControl undisturbed;
  Recorder whole(undisturbed);
  train("whole", whole, undisturbed);
  TrainerControl first;
  Recorder recorder(first);
  recorder.then = [&](const Event& event) {
    const auto* progress = std::get_if<Progress>(&event);
    if (progress != nullptr && progress->phase == Phase::kValidating) first.request_stop();
  };
  train("run", recorder, first);
  EXPECT_THAT(recorder.epochs, IsEmpty());
  EXPECT_EQ(recorder.ends.back().reason, EndReason::kStopRequested);
  recorder.then = nullptr;
  TrainerControl second;
  train("run", recorder, second);
  expect_same(recorder, whole);
}

TEST_F(TrainerTest, EndsAtOnceWhenAllIsDone) {
  TrainerControl control;
  Recorder recorder(control);
  train("run", recorder, control);
  const std::int64_t steps = recorder.ends.back().step;
  TrainerControl again;
  train("run", recorder, again);
  EXPECT_EQ(recorder.ends.size(), 2u);
  EXPECT_EQ(recorder.ends.back().step, steps);
  EXPECT_EQ(recorder.ends.back().digest, recorder.ends.front().digest);
}

TEST_F(TrainerTest, ThreadsDoNotChangeTheResult) {
  TrainerControl control;
  Recorder two(control);
  train("two", two, control);
  run_.train.threads = 1;
  TrainerControl other;
  Recorder one(other);
  train("one", one, other);
  expect_same(one, two);
}

TEST_F(TrainerTest, RefusesChangedDataOnResumeUnlessAccepted) {
  TrainerControl first;
  Recorder recorder(first);
  recorder.then = [&](const Event& event) {
    if (std::holds_alternative<MetricRow>(event)) first.request_stop();
  };
  train("run", recorder, first);
  recorder.then = nullptr;
  std::ofstream(run_.data.train, std::ios::app) << "9+9\t18\n";
  TrainerControl second;
  EXPECT_THAT(failure_of([&] { train("run", recorder, second); }, ErrorKind::kData),
              HasSubstr("--accept-changed-data"));
  EXPECT_EQ(recorder.ends.size(), 1u);
  train("run", recorder, second, true);
  EXPECT_EQ(recorder.ends.back().reason, EndReason::kAllEpochs);
  EXPECT_THAT(recorder.notices.at(0), HasSubstr("as asked"));
}

TEST_F(TrainerTest, RefusesChangedSettingsOnResumeAndNamesThem) {
  TrainerControl first;
  Recorder recorder(first);
  train("run", recorder, first);
  run_.train.learning_rate = 0.5;
  TrainerControl second;
  EXPECT_THAT(failure_of([&] { train("run", recorder, second); }, ErrorKind::kConfig),
              HasSubstr("train.learning_rate: was 0.01, is 0.5"));
}

TEST_F(TrainerTest, NeverSavesWhatIsNotFinite) {
  TrainerControl first;
  Recorder recorder(first);
  recorder.then = [&](const Event& event) {
    if (std::holds_alternative<CheckpointSaved>(event)) first.request_stop();
  };
  train("run", recorder, first);
  recorder.then = nullptr;
  CheckpointStore store(posix_files(), folder("run").checkpoints());
  LoadedCheckpoint good = *store.newest_good([](const auto&, const auto&) {});
  CheckpointView poisoned;
  poisoned.metadata = good.content.metadata;
  for (CheckpointContent::Tensor& tensor : good.content.tensors) {
    if (tensor.name == "output.bias") {
      tensor.values[0] = std::numeric_limits<float>::quiet_NaN();
    }
    poisoned.tensors.push_back({tensor.name, tensor.shape, tensor.values});
  }
  store.save(good.step, poisoned);
  const std::vector<std::string> before = store.list();
  TrainerControl second;
  EXPECT_THAT(failure_of([&] { train("run", recorder, second); }, ErrorKind::kDiverged),
              HasSubstr("not finite"));
  EXPECT_EQ(store.list(), before);
}

TEST_F(TrainerTest, PassesOverADamagedCheckpointAndSaysSo) {
  TrainerControl undisturbed;
  Recorder whole(undisturbed);
  train("whole", whole, undisturbed);
  // Two stops leave two checkpoints for sure; those at intervals are skipped when one is under way.
  TrainerControl unused;
  Recorder recorder(unused);
  for (const std::int64_t last : {3, 5}) {
    TrainerControl control;
    recorder.then = [&](const Event& event) {
      const auto* row = std::get_if<MetricRow>(&event);
      if (row != nullptr && row->step == last) control.request_stop();
    };
    train("run", recorder, control);
  }
  recorder.then = nullptr;
  const CheckpointStore store(posix_files(), folder("run").checkpoints());
  ASSERT_EQ(store.list().front(), checkpoint_name(5));
  ASSERT_EQ(truncate((store.folder() + "/" + checkpoint_name(5)).c_str(), 1000), 0);
  TrainerControl last;
  train("run", recorder, last);
  EXPECT_THAT(recorder.notices.at(0), HasSubstr("passed over checkpoint " + checkpoint_name(5)));
  EXPECT_THAT(recorder.starts.back().resumed_step, AnyOf(3, 4));
  expect_same(recorder, whole);
}

TEST_F(TrainerTest, SavesWhenAsked) {
  run_.checkpoint.every_batches = 0;
  TrainerControl control;
  Recorder recorder(control);
  bool requested = false;
  recorder.then = [&](const Event& event) {
    if (const auto* saved = std::get_if<CheckpointSaved>(&event)) {
      requested = requested || saved->reason == CheckpointReason::kRequest;
    }
    const auto* row = std::get_if<MetricRow>(&event);
    if (row != nullptr && row->step == 2) control.request_save();
  };
  train("run", recorder, control);
  EXPECT_TRUE(requested);
}

}  // namespace
}  // namespace traind
