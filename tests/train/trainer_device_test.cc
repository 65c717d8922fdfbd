// What a GPU changes in training and what it does not: results read one step late, padded steps,
// steps that loss scaling skips. No GPU is at hand: each device here is the CPU behind a wrapper
// that shows the one trait in question.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "model/checkpoint/store.h"
#include "tests/nn/forwarding_backend.h"
#include "tests/train/trainer_case.h"

namespace traind {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What a test changes about the CPU.
struct Traits {
  int step_multiple = 1;
  bool loss_scale = false;
  std::set<int> skipped = {};         // steps that overflow, counted from 1
  std::set<int> without_loss = {};    // steps whose loss is not a number
  float scale_after_skip = 32768;     // StepResult::loss_scale of such a step
  std::string* calls = nullptr;       // A adam, T take_result, E evaluate, D decode
  std::vector<int>* steps = nullptr;  // of each sequence that is read
  std::function<void(int)> on_adam = {};
};

class OddDevice : public ForwardingBackend {
 public:
  OddDevice(std::unique_ptr<Backend> inner, const Traits& traits)
      : ForwardingBackend(std::move(inner)), traits_(traits) {}

  DeviceInfo info() const override {
    DeviceInfo info = ForwardingBackend::info();
    info.step_multiple = traits_.step_multiple;
    info.loss_scale = traits_.loss_scale;
    return info;
  }
  std::unique_ptr<Tape> rnn_forward(const RnnStack& stack, const RnnForward& call) override {
    if (traits_.steps != nullptr) traits_.steps->push_back(call.input.steps);
    return ForwardingBackend::rnn_forward(stack, call);
  }
  LossSum loss(const LossCall& call) override {
    if (call.gradients == nullptr) note('E');
    return ForwardingBackend::loss(call);
  }
  void update(const UpdateStep& step) override {
    note('A');
    if (traits_.on_adam) traits_.on_adam(++updates_);
    ForwardingBackend::update(step);
  }
  StepResult take_result() override {
    note('T');
    StepResult result = ForwardingBackend::take_result();
    ++taken_;
    if (traits_.skipped.contains(taken_)) {
      result.skipped = true;
      result.gradient_norm = std::numeric_limits<double>::infinity();
      result.loss_scale = traits_.scale_after_skip;
    }
    if (traits_.without_loss.contains(taken_)) {
      result.loss.loss = std::numeric_limits<double>::quiet_NaN();
    }
    return result;
  }
  std::vector<Decoded> decode(const DecodeCall& call) override {
    note('D');
    return ForwardingBackend::decode(call);
  }

 private:
  void note(char call) {
    if (traits_.calls != nullptr) *traits_.calls += call;
  }
  const Traits traits_;
  int updates_ = 0;
  int taken_ = 0;
};

class TrainerDevice : public TrainerTest {
 protected:
  void use(const Traits& traits) {
    make_device_ = [traits](const DeviceChoice& choice) {
      ChosenBackend chosen = make_backend(choice);
      return ChosenBackend{std::make_unique<OddDevice>(std::move(chosen.backend), traits),
                           chosen.reason};
    };
  }
  // A run from beginning to end.
  std::unique_ptr<Recorder> whole(const std::string& name) {
    TrainerControl control;
    auto recorder = std::make_unique<Recorder>(control);
    train(name, *recorder, control);
    return recorder;
  }
  CheckpointContent newest(const std::string& name) const {
    const CheckpointStore store(posix_files(), folder(name).checkpoints());
    return store.newest_good([](const auto&, const auto&) {})->content;
  }
};

TEST_F(TrainerDevice, ReadsAResultWhileTheNextStepIsUnderWay) {
  run_.train.epochs = 1;
  run_.report.every_batches = 4;
  run_.checkpoint.every_batches = 0;
  std::string calls;
  use({.calls = &calls});
  whole("run");
  // Seven batches, a row after four and at the end: nothing is evaluated before all is read.
  EXPECT_THAT(calls, testing::StartsWith("AATATATTEAATATTE"));
}

TEST_F(TrainerDevice, ReadsEveryResultBeforeASave) {
  run_.train.epochs = 1;
  run_.report.every_batches = 100;
  run_.checkpoint.every_batches = 3;
  std::string calls;
  use({.calls = &calls});
  whole("run");
  EXPECT_THAT(calls, testing::StartsWith("AATATTAATATT"));
}

TEST_F(TrainerDevice, StoppedBetweenTwoRowsHasCountedEveryStep) {
  run_.report.every_batches = 5;
  run_.checkpoint.every_batches = 0;
  const auto undisturbed = whole("whole");
  TrainerControl first;
  Recorder recorder(first);
  Traits traits;
  // In the middle of a row, and of the lag: the step after it is asked for and not yet read.
  traits.on_adam = [&](int step) {
    if (step == 3) first.request_stop();
  };
  use(traits);
  train("run", recorder, first);
  ASSERT_EQ(recorder.ends.at(0).reason, EndReason::kStopRequested);
  EXPECT_EQ(recorder.ends.at(0).step, 3);
  make_device_ = nullptr;
  TrainerControl second;
  train("run", recorder, second);
  expect_same(recorder, *undisturbed);
}

// Up to rounding: the CPU leaves padding out, and sums in another order when rows lie elsewhere.
TEST_F(TrainerDevice, PaddedStepsChangeNothingButRounding) {
  const auto tight = whole("tight");
  std::vector<int> steps;
  use({.step_multiple = 8, .steps = &steps});
  const auto padded = whole("padded");
  EXPECT_THAT(steps, testing::Each(testing::ResultOf([](int count) { return count % 8; }, 0)));
  ASSERT_EQ(padded->rows.size(), tight->rows.size());
  for (const auto& [step, row] : tight->rows) {
    EXPECT_NEAR(padded->rows.at(step).loss, row.loss, 1e-5 * row.loss) << step;
    EXPECT_NEAR(padded->rows.at(step).valid_loss, row.valid_loss, 1e-5 * row.valid_loss) << step;
    EXPECT_EQ(padded->rows.at(step).inputs, row.inputs) << step;
  }
}

TEST_F(TrainerDevice, ASkippedStepIsNoDivergenceAndIsToldOnceAnEpoch) {
  use({.skipped = {1, 2, 8}, .scale_after_skip = 4096});
  const auto recorder = whole("run");
  EXPECT_EQ(recorder->ends.at(0).reason, EndReason::kAllEpochs);
  EXPECT_THAT(recorder->notices, ElementsAre(HasSubstr("epoch 1: 2 steps were left out"),
                                             HasSubstr("epoch 2: 1 steps were left out")));
  EXPECT_THAT(recorder->notices.at(0), HasSubstr("precision = \"bf16\""));
  EXPECT_EQ(recorder->rows.at(1).gradient_norm, 0);
  EXPECT_GT(recorder->rows.at(3).gradient_norm, 0);
  for (const auto& [step, row] : recorder->rows) EXPECT_TRUE(std::isfinite(row.gradient_norm));
}

TEST_F(TrainerDevice, ASkippedStepAtTheLowestScaleIsDivergence) {
  use({.skipped = {5}, .scale_after_skip = 1});
  EXPECT_THAT(failure_of([&] { whole("run"); }, ErrorKind::kDiverged),
              HasSubstr("step 5: the gradient norm is not finite"));
}

TEST_F(TrainerDevice, ALossThatIsNoNumberIsDivergenceAlsoWhenTheStepWasSkipped) {
  use({.skipped = {3}, .without_loss = {3}});
  EXPECT_THAT(failure_of([&] { whole("run"); }, ErrorKind::kDiverged),
              HasSubstr("step 3: the loss is not finite"));
}

TEST_F(TrainerDevice, DivergenceIsFoundBeforeItsStepIsSaved) {
  run_.checkpoint.every_batches = 1;
  run_.report.every_batches = 100;
  use({.without_loss = {4}});
  failure_of([&] { whole("run"); }, ErrorKind::kDiverged);
  const CheckpointStore store(posix_files(), folder("run").checkpoints());
  for (const std::string& file : store.list()) EXPECT_LT(file, checkpoint_name(4));
}

TEST_F(TrainerDevice, TheLossScaleIsSavedAndComesBack) {
  use({.loss_scale = true});
  const auto undisturbed = whole("whole");
  const auto scale = newest("whole").tensor("optim.loss_scale");
  EXPECT_THAT(scale.shape, ElementsAre(2));
  EXPECT_THAT(scale.values,
              ElementsAre(LossScale::kFirst, static_cast<float>(undisturbed->ends[0].step)));
  TrainerControl first;
  Recorder recorder(first);
  recorder.then = [&](const Event& event) {
    const auto* row = std::get_if<MetricRow>(&event);
    if (row != nullptr && row->step == 7) first.request_stop();
  };
  train("run", recorder, first);
  EXPECT_EQ(newest("run").tensor("optim.loss_scale").values[1], 7);
  recorder.then = nullptr;
  TrainerControl second;
  train("run", recorder, second);
  expect_same(recorder, *undisturbed);
  EXPECT_EQ(newest("run").tensor("optim.loss_scale").values, scale.values);
}

TEST_F(TrainerDevice, ARunMovesBetweenDevicesWithAndWithoutALossScale) {
  const auto undisturbed = whole("whole");
  TrainerControl unused;
  Recorder recorder(unused);
  for (const bool scaled : {true, false, true}) {
    TrainerControl control;
    use({.loss_scale = scaled});
    const std::int64_t steps = recorder.rows.empty() ? 0 : recorder.rows.rbegin()->first;
    recorder.then = [&](const Event& event) {
      const auto* row = std::get_if<MetricRow>(&event);
      if (row != nullptr && row->step == steps + 4) control.request_stop();
    };
    train("run", recorder, control);
    const CheckpointContent content = newest("run");
    EXPECT_EQ(
        std::ranges::any_of(content.tensors,
                            [](const auto& tensor) { return tensor.name == "optim.loss_scale"; }),
        scaled);
  }
  // It had begun anew after the device that knows none.
  EXPECT_EQ(newest("run").tensor("optim.loss_scale").values[1], 4);
  recorder.then = nullptr;
  TrainerControl last;
  train("run", recorder, last);
  expect_same(recorder, *undisturbed);
}

TEST_F(TrainerDevice, GetsWhatTheRunFileAsksFor) {
  run_.train.epochs = 1;
  run_.train.device = "cuda";
  run_.train.precision = "bf16";
  run_.train.deterministic = true;
  DeviceChoice asked;
  make_device_ = [&](const DeviceChoice& choice) {
    asked = choice;
    return make_backend({"cpu", 1});
  };
  EXPECT_THAT(whole("run")->notices, IsEmpty());
  EXPECT_EQ(asked.device, "cuda");
  EXPECT_EQ(asked.threads, 2);
  EXPECT_EQ(asked.precision, Precision::kBf16);
  EXPECT_TRUE(asked.deterministic);
}

}  // namespace
}  // namespace traind
