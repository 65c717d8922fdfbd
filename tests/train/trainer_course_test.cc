// How a run goes and when it ends: updates of several batches, schedules, limits, early stop, the
// best checkpoint. Whatever is set, interrupted equals uninterrupted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
#include <ostream>
#include <string>
#include <vector>

#include "model/checkpoint/store.h"
#include "model/train/measure.h"
#include "tests/nn/forwarding_backend.h"
#include "tests/nn/model_case.h"
#include "tests/train/trainer_case.h"

namespace traind {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// With such a rate no weight changes in float32: every epoch is as good as the first.
constexpr double kNoProgress = 1e-12;

void stand_still(RunFile& run) {
  run.train.optimizer = Optimizer::kSgd;
  run.train.learning_rate = kNoProgress;
  run.train.momentum = 0;
}

struct Way {
  const char* name;
  std::function<void(RunFile&)> set;
  EndReason reason;
};

void PrintTo(const Way& way, std::ostream* out) { *out << way.name; }

class InterruptedRun : public TrainerTest, public testing::WithParamInterface<Way> {
 protected:
  InterruptedRun() {
    run_.train.epochs = 4;
    GetParam().set(run_);
  }
};

TEST_P(InterruptedRun, StoppedAtAnyStepAndResumedEqualsUninterrupted) {
  const auto whole = train_to_end("whole");
  ASSERT_EQ(whole->ends.at(0).reason, GetParam().reason);
  for (const auto& [step, row] : whole->rows) {
    if (step == whole->ends[0].step) break;
    const std::string name = "stopped" + std::to_string(step);
    TrainerControl unused;
    Recorder recorder(unused);
    train_and_stop(name, recorder, step);
    ASSERT_EQ(recorder.ends.back().step, step);
    TrainerControl second;
    train(name, recorder, second);
    EXPECT_EQ(recorder.starts.back().resumed_step, step);
    expect_same(recorder, *whole);
  }
}

TEST_P(InterruptedRun, KilledAndResumedEndsWithTheSameWeights) {
  const auto whole = train_to_end("whole");
  for (const std::int64_t step : {std::int64_t{2}, whole->ends[0].step - 1}) {
    const std::string name = "killed" + std::to_string(step);
    train_and_die(name, step);
    const auto rest = train_to_end(name);
    EXPECT_EQ(rest->ends.back().digest, whole->ends.back().digest) << step;
    EXPECT_EQ(rest->ends.back().reason, whole->ends.back().reason) << step;
    for (const auto& [number, row] : rest->rows) {
      EXPECT_EQ(row.loss, whole->rows.at(number).loss) << number;
      EXPECT_EQ(row.rate, whole->rows.at(number).rate) << number;
    }
  }
}

TEST_P(InterruptedRun, EndsAtOnceForTheSameReasonWhenItIsOver) {
  const auto whole = train_to_end("run");
  const auto again = train_to_end("run");
  EXPECT_EQ(again->ends.at(0).reason, whole->ends.at(0).reason);
  EXPECT_EQ(again->ends.at(0).step, whole->ends.at(0).step);
  EXPECT_EQ(again->ends.at(0).epoch, whole->ends.at(0).epoch);
  EXPECT_EQ(again->ends.at(0).digest, whole->ends.at(0).digest);
  EXPECT_EQ(again->checkpoints, 1) << "the one it goes on from is told again, and no other";
}

void plateau_and_early_stop(RunFile& run) {
  stand_still(run);
  run.train.epochs = 9;
  run.train.accumulate = 3;
  run.train.patience = 3;
  run.schedule.kind = ScheduleKind::kPlateau;
  run.schedule.patience = 2;
}

void adamw_and_cosine(RunFile& run) {
  run.train.optimizer = Optimizer::kAdamW;
  run.train.weight_decay = 0.1;
  run.train.label_smoothing = 0.1;
  run.train.accumulate = 2;
  run.train.best = Measure::kCharacterAccuracy;
  run.schedule.kind = ScheduleKind::kCosine;
  run.schedule.warmup_steps = 5;
}

void sgd_until_a_step(RunFile& run) {
  run.train.optimizer = Optimizer::kSgd;
  run.train.learning_rate = 0.1;
  run.train.weight_decay = 0.01;
  run.train.max_steps = 10;
  run.model.cell = CellKind::kGru;
  run.schedule.kind = ScheduleKind::kInverseSqrt;
  run.schedule.warmup_steps = 3;
}

void tokens(RunFile& run) {
  run.train.epochs = 2;
  run.train.batch_tokens = 50;
  run.train.accumulate = 2;
  run.decode.beam = 3;
}

// The sums themselves are the lines.
void language(RunFile& run) {
  run.train.epochs = 2;
  run.data.format = CorpusFormat::kText;
  run.model.kind = ModelKind::kLanguage;
  run.model.bidirectional = false;
  run.model.attention = false;
  run.model.embedding = run.model.hidden;
  run.model.tied_embeddings = true;
}

INSTANTIATE_TEST_SUITE_P(Trainer, InterruptedRun,
                         testing::Values(Way{"plateau", plateau_and_early_stop,
                                             EndReason::kEarlyStop},
                                         Way{"adamw", adamw_and_cosine, EndReason::kAllEpochs},
                                         Way{"sgd", sgd_until_a_step, EndReason::kStepLimit},
                                         Way{"tokens", tokens, EndReason::kAllEpochs},
                                         Way{"language", language, EndReason::kAllEpochs}),
                         [](const auto& way) { return std::string(way.param.name); });

class TrainerCourse : public TrainerTest {
 protected:
  std::vector<float> weights(const std::string& name) const {
    const CheckpointStore store(posix_files(), folder(name).checkpoints());
    const auto newest = store.newest_good([](auto&, auto&) {});
    std::vector<float> all;
    for (const auto& tensor : newest->content.tensors) {
      if (tensor.name.starts_with("optim.")) continue;
      all.insert(all.end(), tensor.values.begin(), tensor.values.end());
    }
    return all;
  }
};

// One update of all examples at once, or of seven batches of them: the mean is over the same
// tokens. Up to rounding, as sums are taken in another order.
TEST_F(TrainerCourse, BatchesOfOneUpdateAddUpToOneLargeBatch) {
  stand_still(run_);
  run_.train.learning_rate = 1;
  run_.train.clip_norm = 0;
  run_.train.epochs = 1;
  run_.train.label_smoothing = 0.2;
  run_.model.dropout = 0;
  run_.report.every_batches = 100;
  run_.train.batch_size = 64;
  const auto large = train_to_end("large");
  run_.train.batch_size = 8;
  run_.train.accumulate = 100;
  const auto small = train_to_end("small");
  EXPECT_EQ(large->ends[0].step, 1);
  EXPECT_EQ(small->ends[0].step, 1);
  EXPECT_EQ(small->rows.at(1).batch, 7);
  EXPECT_NEAR(small->rows.at(1).loss, large->rows.at(1).loss, 1e-6);
  EXPECT_NEAR(small->rows.at(1).gradient_norm, large->rows.at(1).gradient_norm, 1e-5);
  const std::vector<float> one = weights("large");
  const std::vector<float> other = weights("small");
  ASSERT_EQ(one.size(), other.size());
  for (std::size_t i = 0; i < one.size(); ++i) ASSERT_NEAR(one[i], other[i], 1e-5) << i;
}

TEST_F(TrainerCourse, AnUpdateTakesSoManyBatchesAndTheLastOfAnEpochWhatIsLeft) {
  run_.train.accumulate = 3;
  run_.train.epochs = 2;
  const auto whole = train_to_end("run");
  std::vector<std::int64_t> batches;
  for (const auto& [step, row] : whole->rows) batches.push_back(row.batch);
  EXPECT_THAT(batches, ElementsAre(3, 6, 7, 3, 6, 7));
  EXPECT_EQ(whole->ends[0].step, 6);
}

// Rows and checkpoints count batches, also where an update has several: each comes with the update
// that reaches its number.
TEST_F(TrainerCourse, ARowComesWithTheUpdateThatReachesItsBatches) {
  run_.train.accumulate = 2;
  run_.train.epochs = 1;
  run_.report.every_batches = 3;
  const auto whole = train_to_end("run");
  std::vector<std::int64_t> batches;
  for (const auto& [step, row] : whole->rows) batches.push_back(row.batch);
  EXPECT_THAT(batches, ElementsAre(4, 6, 7));
}

// Remembers by which numbers the masks of the training passes are drawn.
class MaskingDevice : public ForwardingBackend {
 public:
  explicit MaskingDevice(std::vector<std::uint64_t>& draws)
      : ForwardingBackend(cpu_backend(1)), draws_(draws) {}
  std::unique_ptr<Tape> rnn_forward(const RnnStack& stack, const RnnForward& call) override {
    if (call.training && call.mask.site == 0) draws_.push_back(call.mask.step);
    return ForwardingBackend::rnn_forward(stack, call);
  }

 private:
  std::vector<std::uint64_t>& draws_;
};

// Has somebody ask for a stop while it works on the training pass of this number.
class StoppingDevice : public ForwardingBackend {
 public:
  StoppingDevice(TrainerControl& control, std::uint64_t draw)
      : ForwardingBackend(cpu_backend(1)), control_(control), draw_(draw) {}
  std::unique_ptr<Tape> rnn_forward(const RnnStack& stack, const RnnForward& call) override {
    if (call.training && call.mask.step == draw_) control_.request_stop();
    return ForwardingBackend::rnn_forward(stack, call);
  }

 private:
  TrainerControl& control_;
  const std::uint64_t draw_;
};

TEST_F(TrainerCourse, DropoutDrawsAnewForEveryBatchOfAnUpdateAlsoAfterAResume) {
  run_.train.accumulate = 3;
  run_.train.epochs = 2;
  std::vector<std::uint64_t> draws;
  make_device_ = [&](const DeviceChoice&) {
    return ChosenBackend{std::make_unique<MaskingDevice>(draws), "asked for"};
  };
  TrainerControl unused;
  Recorder recorder(unused);
  train_and_stop("run", recorder, 4);
  train_to_end("run");
  std::vector<std::uint64_t> all(14);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(draws, all);
}

// An update of very many batches takes minutes, which somebody who stops the run may not have.
TEST_F(TrainerCourse, AStopBetweenTwoBatchesOfAnUpdateLeavesItOut) {
  run_.train.accumulate = 3;
  run_.train.epochs = 2;
  const auto whole = train_to_end("whole");
  // The updates have batches 0 to 2, 3 to 5, 6; then 7 to 9, 10 to 12, 13.
  const std::map<std::uint64_t, std::int64_t> steps = {{3, 1}, {4, 1}, {5, 2}, {8, 3}};
  for (const auto& [draw, step] : steps) {
    SCOPED_TRACE("stopped in batch " + std::to_string(draw));
    const std::string name = "run" + std::to_string(draw);
    TrainerControl control;
    Recorder recorder(control);
    const auto real = make_device_;
    make_device_ = [&, draw = draw](const DeviceChoice&) {
      return ChosenBackend{std::make_unique<StoppingDevice>(control, draw), "asked for"};
    };
    train(name, recorder, control);
    make_device_ = real;
    EXPECT_EQ(recorder.ends.back().step, step);
    TrainerControl second;
    train(name, recorder, second);
    expect_same(recorder, *whole);
  }
}

TEST_F(TrainerCourse, ALimitOfStepsEndsAnEpochEarlyAndValidatesIt) {
  run_.train.epochs = 2;
  run_.train.max_steps = 9;  // of 7 an epoch
  run_.report.every_batches = 100;
  const auto whole = train_to_end("run");
  EXPECT_EQ(whole->ends.at(0).reason, EndReason::kStepLimit);
  EXPECT_EQ(whole->ends[0].step, 9);
  EXPECT_EQ(whole->ends[0].epoch, 2);
  ASSERT_THAT(whole->epochs, SizeIs(2));
  EXPECT_EQ(whole->epochs.at(2).step, 9);
  EXPECT_EQ(whole->epochs.at(2).digest, whole->ends[0].digest);
  EXPECT_EQ(whole->rows.at(9).batch, 2);
}

TEST_F(TrainerCourse, ALimitOfHoursEndsAfterTheUpdateThatReachesIt) {
  run_.train.max_hours = 1e-9;
  const auto whole = train_to_end("run");
  EXPECT_EQ(whole->ends.at(0).reason, EndReason::kTimeLimit);
  EXPECT_EQ(whole->ends[0].step, 1);
  EXPECT_THAT(whole->epochs, SizeIs(1));
  EXPECT_EQ(train_to_end("run")->ends.at(0).reason, EndReason::kTimeLimit);
}

TEST_F(TrainerCourse, EndsAfterSoManyEpochsWithoutABetterOne) {
  stand_still(run_);
  run_.train.epochs = 10;
  run_.train.patience = 2;
  const auto whole = train_to_end("run");
  EXPECT_EQ(whole->ends.at(0).reason, EndReason::kEarlyStop);
  EXPECT_EQ(whole->ends[0].epoch, 3);
  EXPECT_THAT(whole->epochs, SizeIs(3));
  EXPECT_TRUE(whole->epochs.at(1).best);
  EXPECT_FALSE(whole->epochs.at(3).best);
}

TEST_F(TrainerCourse, TheRateHalvesOnAPlateau) {
  stand_still(run_);
  run_.train.epochs = 4;
  run_.schedule.kind = ScheduleKind::kPlateau;
  const auto whole = train_to_end("run");
  std::vector<double> rates;
  for (const auto& [number, epoch] : whole->epochs) rates.push_back(epoch.rate / kNoProgress);
  EXPECT_THAT(rates, ElementsAre(1, 1, 0.5, 0.25));
}

TEST_F(TrainerCourse, TheBestCheckpointFollowsTheMeasureThatIsAskedFor) {
  run_.train.epochs = 6;
  run_.train.learning_rate = 0.03;
  run_.checkpoint.keep = 1;
  for (const Measure measure :
       {Measure::kLoss, Measure::kCharacterAccuracy, Measure::kCharacterErrorRate}) {
    run_.train.best = measure;
    const std::string name = name_of(measure);
    const auto whole = train_to_end(name);
    std::vector<double> results;
    std::int64_t best_step = -1;
    for (const auto& [number, epoch] : whole->epochs) {
      EXPECT_EQ(epoch.measure, measure);
      results.push_back(value_of(measure, epoch.valid_loss, epoch.scores));
      EXPECT_EQ(epoch.best, epochs_without_better(measure, results) == 0) << number;
      if (epoch.best) best_step = epoch.step;
    }
    const CheckpointStore store(posix_files(), folder(name).checkpoints());
    const auto files = store.list();
    EXPECT_EQ(std::ranges::count(files, checkpoint_name(best_step)), 1) << name;
  }
}

TEST_F(TrainerCourse, LabelSmoothingChangesTheWeightsAndNotWhatALossIs) {
  run_.train.epochs = 1;
  run_.train.batch_size = 64;
  const auto plain = train_to_end("plain");
  run_.train.label_smoothing = 0.3;
  const auto smooth = train_to_end("smooth");
  EXPECT_EQ(smooth->rows.at(1).loss, plain->rows.at(1).loss);
  EXPECT_NE(smooth->ends[0].digest, plain->ends[0].digest);
}

}  // namespace
}  // namespace traind
