// A small run and what it tells, for the tests of the trainer. Owned by the test.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "model/base/error.h"
#include "model/train/preparation.h"
#include "model/train/trainer.h"
#include "tests/base/scratch_folder.h"

namespace traind {

// Keeps the newest of each row and epoch, as the daemon's tables do.
class Recorder final : public EventSink {
 public:
  explicit Recorder(TrainerControl& control, bool acknowledges = true)
      : control_(control), acknowledges_(acknowledges) {}

  void on_event(const Event& event) noexcept override {
    if (const auto* row = std::get_if<MetricRow>(&event)) {
      rows[row->step] = *row;
      if (acknowledges_) control_.acknowledge(row->step);
    } else if (const auto* epoch = std::get_if<EpochDone>(&event)) {
      epochs[epoch->epoch] = *epoch;
    } else if (const auto* notice = std::get_if<Notice>(&event)) {
      notices.push_back(notice->text);
    } else if (const auto* started = std::get_if<RunStarted>(&event)) {
      starts.push_back(*started);
    } else if (const auto* ended = std::get_if<RunEnded>(&event)) {
      ends.push_back(*ended);
    } else if (const auto* changed = std::get_if<SettingChanged>(&event)) {
      changes.push_back(*changed);
    } else if (std::holds_alternative<CheckpointSaved>(event)) {
      ++checkpoints;
    }
    if (then) then(event);
  }

  std::map<std::int64_t, MetricRow> rows;
  std::map<int, EpochDone> epochs;
  std::vector<std::string> notices;
  std::vector<RunStarted> starts;
  std::vector<RunEnded> ends;
  std::vector<SettingChanged> changes;
  int checkpoints = 0;
  std::function<void(const Event&)> then;

 private:
  TrainerControl& control_;
  const bool acknowledges_;
};

class TrainerTest : public testing::Test {
 protected:
  TrainerTest() {
    std::ofstream corpus(scratch_.path() + "/pairs.tsv");
    for (int a = 0; a < 6; ++a) {
      for (int b = 0; b < 10; ++b) corpus << a << "+" << b << "\t" << a + b << "\n";
    }
    corpus.close();
    run_.name = "sums";
    run_.data.train = scratch_.path() + "/pairs.tsv";
    run_.data.valid_fraction = 0.2;
    run_.model = {2, 8, 6, true, true, 0.2};
    run_.train.epochs = 3;
    run_.train.batch_size = 8;
    run_.train.learning_rate = 0.01;
    run_.train.threads = 2;
    run_.checkpoint = {2, 0, 2};
    run_.report = {1, 2};
  }

  RunFolder folder(const std::string& name) const { return {scratch_.path() + "/" + name}; }

  // One worker's life in this process.
  void train(const std::string& name, Recorder& recorder, TrainerControl& control,
             bool accept_changed_data = false) const {
    TrainerOptions options;
    options.folder = folder(name);
    options.accept_changed_data = accept_changed_data;
    options.changes = changes_;
    if (make_device_) options.make_device = make_device_;
    Trainer(run_, options, recorder, control).run();
  }

  // From wherever it stands to its end, by one worker that nobody disturbs.
  std::unique_ptr<Recorder> train_to_end(const std::string& name) const {
    TrainerControl control;
    auto recorder = std::make_unique<Recorder>(control);
    train(name, *recorder, control);
    recorder->then = nullptr;
    return recorder;
  }

  // One worker's life, ended by a stop after it has told the row of this step.
  void train_and_stop(const std::string& name, Recorder& recorder, std::int64_t step) const {
    TrainerControl control;
    recorder.then = [&](const Event& event) {
      const auto* row = std::get_if<MetricRow>(&event);
      if (row != nullptr && row->step == step) control.request_stop();
    };
    train(name, recorder, control);
    recorder.then = nullptr;
  }

  // A worker that is killed in the middle: a process that vanishes when it has told this step and
  // `ready` holds.
  void train_and_die(
      const std::string& name, std::int64_t step,
      const std::function<bool()>& ready = [] { return true; }) const {
    const pid_t child = fork();
    if (child == 0) {
      TrainerControl control;
      Recorder recorder(control);
      recorder.then = [&](const Event& event) {
        const auto* row = std::get_if<MetricRow>(&event);
        if (row == nullptr || row->step != step) return;
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (!ready() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
        _exit(9);
      };
      train(name, recorder, control);
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 9) << "it did not get to that step";
  }

  ScratchFolder scratch_;
  RunFile run_;
  Changes changes_;         // what the next worker may find different
  MakeDevice make_device_;  // empty = as the trainer itself does it
};

inline void expect_same(const Recorder& got, const Recorder& whole) {
  ASSERT_EQ(got.rows.size(), whole.rows.size());
  for (const auto& [step, row] : whole.rows) {
    ASSERT_TRUE(got.rows.contains(step)) << "row of step " << step << " is missing";
    const MetricRow& other = got.rows.at(step);
    EXPECT_EQ(other.loss, row.loss) << step;
    EXPECT_EQ(other.accuracy, row.accuracy) << step;
    EXPECT_EQ(other.valid_loss, row.valid_loss) << step;
    EXPECT_EQ(other.gradient_norm, row.gradient_norm) << step;
    EXPECT_EQ(other.inputs, row.inputs) << step;
    EXPECT_EQ(other.batch, row.batch) << step;
    EXPECT_EQ(other.batches_per_epoch, row.batches_per_epoch) << step;
    EXPECT_EQ(other.rate, row.rate) << step;
  }
  ASSERT_EQ(got.epochs.size(), whole.epochs.size());
  for (const auto& [number, epoch] : whole.epochs) {
    const EpochDone& other = got.epochs.at(number);
    EXPECT_EQ(other.train_loss, epoch.train_loss);
    EXPECT_EQ(other.valid_loss, epoch.valid_loss);
    EXPECT_EQ(other.scores.exact, epoch.scores.exact);
    EXPECT_EQ(other.digest, epoch.digest);
    EXPECT_EQ(other.best, epoch.best);
    EXPECT_EQ(other.rate, epoch.rate);
    ASSERT_EQ(other.samples.size(), epoch.samples.size());
    for (std::size_t i = 0; i < epoch.samples.size(); ++i) {
      EXPECT_EQ(other.samples[i].output, epoch.samples[i].output);
    }
  }
  EXPECT_EQ(got.ends.back().digest, whole.ends.back().digest);
  EXPECT_EQ(got.ends.back().step, whole.ends.back().step);
  EXPECT_EQ(got.ends.back().epoch, whole.ends.back().epoch);
  EXPECT_EQ(got.ends.back().reason, whole.ends.back().reason);
}

inline std::string failure_of(const std::function<void()>& what, ErrorKind kind) {
  try {
    what();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "nothing failed";
}

}  // namespace traind
