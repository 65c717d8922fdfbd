// batch_size = "fit". No GPU is at hand: the device is a CPU that calls itself a GPU and refuses
// more than so many floats, as cudaMalloc refuses what is not free.
#include "model/train/batch_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tests/nn/forwarding_backend.h"
#include "tests/nn/model_case.h"
#include "tests/train/trainer_case.h"

namespace traind {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::size_t kPlenty = std::numeric_limits<std::size_t>::max();

class SmallDevice : public ForwardingBackend {
 public:
  SmallDevice(std::size_t floats, std::vector<int>* batches)
      : ForwardingBackend(cpu_backend(1)), left_(floats), batches_(batches) {}

  DeviceInfo info() const override {
    DeviceInfo info = ForwardingBackend::info();
    info.kind = "cuda";
    info.step_multiple = 8;
    return info;
  }
  std::unique_ptr<Buffer> allocate(std::size_t floats) override {
    if (floats > left_) {
      throw Error(ErrorKind::kDevice, "no room for " + std::to_string(4 * floats) + " bytes");
    }
    left_ -= floats;
    return ForwardingBackend::allocate(floats);
  }
  void update(const UpdateStep& step) override {
    if (batches_ != nullptr) batches_->push_back(batch_);
    ForwardingBackend::update(step);
  }
  std::unique_ptr<Tape> rnn_forward(const RnnStack& stack, const RnnForward& call) override {
    batch_ = call.input.batch();
    return ForwardingBackend::rnn_forward(stack, call);
  }

 private:
  std::size_t left_;
  std::vector<int>* batches_;
  int batch_ = 0;
};

FitQuestion question(std::size_t floats, std::int64_t examples,
                     std::vector<int>* batches = nullptr) {
  FitQuestion asked;
  asked.shape = ModelCase{1, false, true, 0}.shape();
  asked.steps = {9, 6};
  asked.examples = examples;
  asked.make_device = [=] { return std::make_unique<SmallDevice>(floats, batches); };
  return asked;
}

// The least memory with which a batch is accepted, found by asking.
std::size_t least_memory_for(int batch) {
  std::size_t least = 1;
  std::size_t enough = 1 << 22;
  while (least < enough) {
    const std::size_t middle = (least + enough) / 2;
    const auto accepted = [&] {
      try {
        return largest_batch(question(middle, 1000)) >= batch;
      } catch (const Error&) {
        return false;
      }
    };
    if (accepted()) {
      enough = middle;
    } else {
      least = middle + 1;
    }
  }
  return least;
}

TEST(BatchFit, IsTheLargestThatFitsAndAMultipleOfEight) {
  for (const int batch : {16, 24, 88, 184}) {
    const std::size_t least = least_memory_for(batch);
    EXPECT_EQ(largest_batch(question(least, 1000)), batch);
    EXPECT_EQ(largest_batch(question(least - 1, 1000)), batch - 8);
  }
}

TEST(BatchFit, LeavesATenthToSpare) {
  std::vector<int> tried;
  const int batch = largest_batch(question(least_memory_for(88), 1000, &tried));
  EXPECT_EQ(batch, 88);
  EXPECT_EQ(*std::max_element(tried.begin(), tried.end()), 98);
}

TEST(BatchFit, IsNoLargerThanTheCorpusOrTheCap) {
  EXPECT_EQ(largest_batch(question(kPlenty, 100)), 96);
  EXPECT_EQ(largest_batch(question(kPlenty, 3)), 8);
  EXPECT_EQ(largest_batch(question(kPlenty, 1'000'000)), kLargestFit);
}

TEST(BatchFit, SaysWhatIsMissingWhenNothingFits) {
  EXPECT_THAT(failure_of([] { largest_batch(question(100, 1000)); }, ErrorKind::kDevice),
              HasSubstr("not even a batch of 8 sentences fits into the device's memory: no room"));
}

TEST(BatchFit, GivesUpWhenAsked) {
  FitQuestion asked = question(kPlenty, 1000);
  asked.on_try = [] { throw Error(ErrorKind::kCancelled, "stopped"); };
  failure_of([&] { largest_batch(asked); }, ErrorKind::kCancelled);
}

class FittedRun : public TrainerTest {
 protected:
  FittedRun() {
    run_.train.batch_size = kFitBatch;
    make_device_ = [this](const DeviceChoice&) {
      return ChosenBackend{std::make_unique<SmallDevice>(floats_, nullptr), "asked for"};
    };
  }
  std::size_t floats_ = kPlenty;
};

TEST_F(FittedRun, SaysWhichBatchItTakesAndKeepsIt) {
  TrainerControl first;
  Recorder recorder(first);
  recorder.then = [&](const Event& event) {
    if (std::holds_alternative<MetricRow>(event)) first.request_stop();
  };
  train("run", recorder, first);
  // Fewer than 56 of the 60 examples are there to train on.
  EXPECT_THAT(recorder.starts.at(0).config, HasSubstr("batch_size = 48\n"));
  EXPECT_THAT(recorder.notices.at(0), HasSubstr("batches of 48 examples"));
  // Another memory the next time: the run goes on as it began.
  recorder.then = nullptr;
  recorder.notices.clear();
  make_device_ = nullptr;
  TrainerControl second;
  train("run", recorder, second);
  EXPECT_THAT(recorder.starts.at(1).config, HasSubstr("batch_size = 48\n"));
  EXPECT_THAT(recorder.notices, IsEmpty());
  EXPECT_EQ(recorder.ends.back().reason, EndReason::kAllEpochs);
}

TEST_F(FittedRun, EqualsOneThatNamesTheNumber) {
  TrainerControl control;
  Recorder fitted(control);
  train("fitted", fitted, control);
  run_.train.batch_size = 48;
  TrainerControl other;
  Recorder named(other);
  train("named", named, other);
  expect_same(fitted, named);
}

TEST_F(FittedRun, IsRefusedOnACpu) {
  make_device_ = nullptr;
  TrainerControl control;
  Recorder recorder(control);
  EXPECT_THAT(failure_of([&] { train("run", recorder, control); }, ErrorKind::kConfig),
              HasSubstr("memory is not what limits a batch; give a number"));
}

}  // namespace
}  // namespace traind
