// Trains anew what small runs trained, after everything that can have happened to them.
#include "model/train/verification.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "model/checkpoint/store.h"
#include "model/checkpoint/writer.h"
#include "model/train/model_checkpoint.h"
#include "tests/train/trainer_case.h"

namespace traind {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What lies in a folder, and since when.
std::map<std::string, fs::file_time_type> contents_of(const std::string& folder) {
  std::map<std::string, fs::file_time_type> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    found[entry.path()] = entry.last_write_time();
  }
  return found;
}

class VerificationTest : public TrainerTest {
 protected:
  VerificationTest() { run_.report = {3, 0}; }

  CheckpointStore store(const std::string& name) const {
    return CheckpointStore(posix_files(), folder(name).checkpoints());
  }

  VerifiedRun verify(const std::string& name,
                     const std::function<void(Phase, std::int64_t)>& sign = {}) {
    const std::string scratch = scratch_.path() + "/scratch" + std::to_string(++scratches_);
    Verification verification(run_, folder(name), scratch);
    if (before_training_) before_training_();
    return verification.train(run_, control_,
                              [&](Phase phase, std::int64_t step, double /*seconds_left*/) {
                                if (sign) sign(phase, step);
                              });
  }

  void expect_same(const std::string& name) {
    const VerifiedRun verified = verify(name);
    EXPECT_EQ(verified.comparison.verdict, Verdict::kSame);
    EXPECT_THAT(verified.comparison.differences, IsEmpty());
    EXPECT_EQ(verified.comparison.trained_digest, verified.comparison.digest);
    EXPECT_EQ(verified.comparison.trained_optimizer_digest, verified.comparison.optimizer_digest);
    EXPECT_EQ(verified.comparison.distance, 0);
    EXPECT_EQ(verified.device, "cpu");
  }

  // Writes a checkpoint anew, changed, whole and with every checksum right.
  void forge(const std::string& name, std::size_t which,
             const std::function<void(CheckpointContent&)>& change) {
    CheckpointStore files = store(name);
    LoadedCheckpoint loaded = files.load(files.list().at(which));
    change(loaded.content);
    CheckpointView view{loaded.content.metadata, {}};
    std::vector<TensorView> weights;
    for (const CheckpointContent::Tensor& tensor : loaded.content.tensors) {
      view.tensors.push_back({tensor.name, tensor.shape, tensor.values});
      if (!tensor.name.starts_with("optim.")) weights.push_back(view.tensors.back());
    }
    view.metadata[kDigestKey] = digest_of(weights);
    files.save(loaded.step, view);
  }

  std::string only_difference(const std::string& name) {
    const VerifiedRun verified = verify(name);
    EXPECT_EQ(verified.comparison.verdict, Verdict::kDifferent);
    EXPECT_EQ(verified.comparison.differences.size(), 1u);
    return verified.comparison.differences.empty() ? "" : verified.comparison.differences[0];
  }

  TrainerControl control_;
  std::function<void()> before_training_;  // when the checkpoints are pinned
  int scratches_ = 0;
};

TEST_F(VerificationTest, AFinishedRunIsTheSameToTheLastBit) {
  train_to_end("run");
  const auto before = contents_of(folder("run").path);
  expect_same("run");
  EXPECT_EQ(contents_of(folder("run").path), before) << "the run's folder was not left alone";
}

// From stop to stop: in an epoch, over the end of one, before its validation, and with gradients of
// several batches.
TEST_F(VerificationTest, ARunIsTheSameWhereverItStands) {
  run_.report.every_batches = 1;
  run_.checkpoint = {100, 0, 2};
  for (const int accumulate : {1, 2}) {
    run_.train.accumulate = accumulate;
    for (const std::int64_t step : {3, 6, 7, 8}) {
      SCOPED_TRACE(std::to_string(step) + " steps of " + std::to_string(accumulate));
      const std::string name = std::to_string(accumulate) + "-" + std::to_string(step);
      TrainerControl control;
      Recorder recorder(control);
      train_and_stop(name, recorder, step - 2);
      train_and_stop(name, recorder, step);
      ASSERT_EQ(store(name).list().front(), checkpoint_name(step));
      expect_same(name);
    }
  }
}

TEST_F(VerificationTest, ARunThatDiedInBetweenIsTheSame) {
  run_.report.every_batches = 1;
  run_.checkpoint = {5, 0, 3};
  train_and_die("run", 8, [&] {
    return fs::exists(folder("run").checkpoints()) && !store("run").list().empty();
  });
  train_to_end("run");
  expect_same("run");
}

TEST_F(VerificationTest, EveryOptimizerAndScheduleIsTheSame) {
  run_.train.optimizer = Optimizer::kSgd;
  run_.train.learning_rate = 0.1;
  run_.schedule.kind = ScheduleKind::kCosine;
  train_to_end("sgd");
  expect_same("sgd");
  run_.schedule.kind = ScheduleKind::kPlateau;
  run_.schedule.patience = 1;
  run_.train.optimizer = Optimizer::kAdamW;
  run_.train.best = Measure::kExact;
  train_to_end("adamw");
  expect_same("adamw");
}

TEST_F(VerificationTest, AnEpochThatALimitCutShortIsTheSame) {
  run_.train.max_steps = 9;
  run_.checkpoint = {4, 0, 3};
  const auto told = train_to_end("run");
  ASSERT_EQ(told->ends.back().reason, EndReason::kStepLimit);
  ASSERT_TRUE(decode_state(store("run").newest_good({})->content.metadata).cut_short);
  expect_same("run");
}

TEST_F(VerificationTest, OneChangedWeightIsFound) {
  train_to_end("run");
  forge("run", 0, [](CheckpointContent& content) {
    float& weight = content.tensors.at(3).values.at(1);
    weight = std::nextafter(weight, 1.0f);
  });
  const CheckpointContent content = store("run").newest_good({})->content;
  const VerifiedRun verified = verify("run");
  EXPECT_EQ(verified.comparison.verdict, Verdict::kDifferent);
  EXPECT_THAT(verified.comparison.differences, ElementsAre(HasSubstr("weights: 1 of ")));
  EXPECT_THAT(verified.comparison.differences[0], HasSubstr(content.tensors.at(3).name + " first"));
  EXPECT_EQ(verified.comparison.digest, content.meta(kDigestKey));
  EXPECT_NE(verified.comparison.trained_digest, verified.comparison.digest);
  EXPECT_GT(verified.comparison.distance, 0);
  EXPECT_LT(verified.comparison.distance, 1e-3);
}

TEST_F(VerificationTest, AChangedPredecessorIsFound) {
  train_to_end("run");
  forge("run", 1, [](CheckpointContent& content) { content.tensors.at(0).values.at(0) += 0.5f; });
  EXPECT_EQ(verify("run").comparison.verdict, Verdict::kDifferent);
}

// What a resume that draws once too often, or forgets a batch, would do.
TEST_F(VerificationTest, AResumeThatLosesItsPlaceIsFound) {
  train_to_end("run");
  std::int64_t TrainState::*const places[] = {&TrainState::batches, &TrainState::batch};
  for (const auto place : places) {
    const auto shift = [&](std::int64_t by) {
      forge("run", 1, [&](CheckpointContent& content) {
        TrainState state = decode_state(content.metadata);
        state.*place += by;
        encode_state(state, decode_identity(content.metadata), content.metadata);
      });
    };
    shift(1);
    const Comparison comparison = verify("run").comparison;
    EXPECT_EQ(comparison.verdict, Verdict::kDifferent);
    EXPECT_THAT(comparison.differences, ::testing::Not(IsEmpty()));
    shift(-1);
    expect_same("run");
  }
}

TEST_F(VerificationTest, AChangedMomentIsFound) {
  train_to_end("run");
  forge("run", 0, [](CheckpointContent& content) { content.tensors.back().values.at(0) += 1e-6f; });
  EXPECT_THAT(only_difference("run"), HasSubstr("optimizer: 1 of "));
}

TEST_F(VerificationTest, AnotherSumOrResultIsFound) {
  train_to_end("run");
  const auto with_state = [&](const std::function<void(TrainState&)>& change) {
    forge("run", 0, [&](CheckpointContent& content) {
      TrainState state = decode_state(content.metadata);
      change(state);
      encode_state(state, decode_identity(content.metadata), content.metadata);
    });
  };
  with_state([](TrainState& state) { state.results.back() += 1e-9; });
  EXPECT_THAT(only_difference("run"), HasSubstr("result of epoch 3: "));
  with_state([](TrainState& state) {
    state.results.back() -= 1e-9;
    state.trained_seconds += 1000;  // no part of what is learnt
  });
  EXPECT_THAT(verify("run").comparison.differences,
              AnyOf(IsEmpty(), ElementsAre(HasSubstr("result of epoch 3"))));
  with_state([](TrainState& state) { state.best_step = 1; });
  EXPECT_THAT(verify("run").comparison.differences,
              ::testing::Contains(HasSubstr("best step: 1 ")));
}

TEST_F(VerificationTest, WithoutTwoGoodCheckpointsItIsRefused) {
  EXPECT_THAT(failure_of([&] { verify("nothing"); }, ErrorKind::kNotFound),
              HasSubstr("has no checkpoint yet"));
  EXPECT_FALSE(fs::exists(folder("nothing").path));
  train_to_end("run");
  const std::vector<std::string> files = store("run").list();
  for (std::size_t i = 1; i < files.size(); ++i) {
    fs::resize_file(folder("run").checkpoints() + "/" + files[i], 1000);
  }
  EXPECT_THAT(failure_of([&] { verify("run"); }, ErrorKind::kState),
              HasSubstr("has one good checkpoint alone, " + files[0]));
  fs::resize_file(folder("run").checkpoints() + "/" + files[0], 1000);
  EXPECT_THAT(failure_of([&] { verify("run"); }, ErrorKind::kNotFound),
              HasSubstr("no good checkpoint: " + files[0] + " was passed over"));
}

TEST_F(VerificationTest, ADamagedOneIsPassedOverAndTold) {
  run_.checkpoint.keep = 3;
  train_to_end("run");
  const std::string newest = store("run").list().front();
  fs::resize_file(folder("run").checkpoints() + "/" + newest, 1000);
  const VerifiedRun verified = verify("run");
  EXPECT_EQ(verified.comparison.verdict, Verdict::kSame);
  EXPECT_THAT(verified.notes, ElementsAre(HasSubstr(newest + " was passed over")));
}

TEST_F(VerificationTest, WhatIsPrunedMeanwhileIsPinned) {
  train_to_end("run");
  before_training_ = [&] { fs::remove_all(folder("run").path); };
  expect_same("run");
}

TEST_F(VerificationTest, AnotherCorpusIsRefused) {
  train_to_end("run");
  std::ofstream(run_.data.train, std::ios::app) << "9+9\t18\n";
  EXPECT_THAT(failure_of([&] { verify("run"); }, ErrorKind::kData),
              HasSubstr("the corpus is not the one that checkpoint-"));
}

TEST_F(VerificationTest, DataThatWasAcceptedInBetweenIsTheSameAndTold) {
  run_.report.every_batches = 1;
  TrainerControl control;
  Recorder recorder(control);
  run_.checkpoint = {100, 0, 2};
  train_and_stop("run", recorder, 3);
  std::ofstream(run_.data.train, std::ios::app) << "9+9\t18\n";
  TrainerControl going_on;
  Recorder listening(going_on);
  listening.then = [&](const Event& event) {
    const auto* row = std::get_if<MetricRow>(&event);
    if (row != nullptr && row->step == 5) going_on.request_stop();
  };
  train("run", listening, going_on, true);
  const VerifiedRun verified = verify("run");
  EXPECT_EQ(verified.comparison.verdict, Verdict::kSame);
  EXPECT_THAT(verified.notes, ElementsAre(HasSubstr("went on with other data between the two")));
}

TEST_F(VerificationTest, AChangedSettingIsTheSameAndTold) {
  run_.report.every_batches = 1;
  run_.checkpoint = {100, 0, 2};
  TrainerControl control;
  Recorder recorder(control);
  train_and_stop("run", recorder, 3);
  run_.train.learning_rate = 0.005;
  changes_.learning_rate = true;
  train_and_stop("run", recorder, 5);
  const VerifiedRun verified = verify("run");
  EXPECT_EQ(verified.comparison.verdict, Verdict::kSame);
  EXPECT_THAT(verified.notes,
              ElementsAre(HasSubstr("train.learning_rate was changed from 0.01 to 0.005")));
}

TEST_F(VerificationTest, AStopEndsItWithoutAVerdict) {
  run_.train.epochs = 2;
  run_.checkpoint = {100, 0, 3};  // one at each epoch's end
  train_to_end("run");
  EXPECT_THAT(failure_of(
                  [&] {
                    verify("run", [&](Phase phase, std::int64_t) {
                      if (phase == Phase::kTraining) control_.request_stop();
                    });
                  },
                  ErrorKind::kCancelled),
              HasSubstr("stop"));
}

TEST_F(VerificationTest, WithoutEqualBitsNearIsCloseAndFarIsDifferent) {
  train_to_end("run");
  CheckpointStore files = store("run");
  const CheckpointContent stored = files.load(files.list().at(0)).content;
  const auto before = [&] { return files.load(files.list().at(1)).content; };
  CheckpointContent trained = stored;
  EXPECT_EQ(compare(stored, trained, before, false).verdict, Verdict::kSame);
  const CheckpointContent beginning = before();
  for (std::size_t i = 0; i < trained.tensors.size(); ++i) {
    std::vector<float>& values = trained.tensors[i].values;
    for (std::size_t k = 0; k < values.size(); ++k) {
      values[k] += 0.05f * (values[k] - beginning.tensors[i].values[k]);
    }
  }
  const Comparison near = compare(stored, trained, before, false);
  EXPECT_EQ(near.verdict, Verdict::kClose);
  EXPECT_NEAR(near.distance, 0.05, 0.001);
  EXPECT_EQ(compare(stored, trained, before, true).verdict, Verdict::kDifferent);
  EXPECT_EQ(compare(stored, beginning, before, false).verdict, Verdict::kDifferent)
      << "where it began is not close to where it came";
}

}  // namespace
}  // namespace traind
