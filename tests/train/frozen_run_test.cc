// Checkpoints that were written once keep loading: the run answers as it did then, has the loss
// that it had then, and can go on.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "model/train/held_out.h"
#include "model/train/preparation.h"
#include "model/train/translator.h"
#include "tests/train/frozen_run.h"
#include "tests/train/trainer_case.h"

namespace traind {
namespace {

class Frozen : public testing::TestWithParam<FrozenRun> {
 protected:
  Frozen() {
    std::filesystem::current_path(scratch_.path());
    write_frozen_corpus();
    std::filesystem::create_directories(folder_.checkpoints());
    std::filesystem::copy_file(data(".safetensors"),
                               folder_.checkpoints() + "/" + checkpoint_name(GetParam().step));
  }
  ~Frozen() override { std::filesystem::current_path(before_); }

  static std::string data(const std::string& ending) {
    return TRAIND_FROZEN_RUNS "/" + GetParam().name + ending;
  }

  const std::filesystem::path before_ = std::filesystem::current_path();
  const ScratchFolder scratch_;
  const RunFolder folder_{scratch_.path() + "/run"};
};

TEST_P(Frozen, AnswersAsItDid) {
  std::vector<std::string> questions;
  std::vector<std::string> expected;
  std::ifstream file(data(".answers"));
  for (std::string line; std::getline(file, line);) {
    questions.push_back(line.substr(0, line.find('\t')));
    expected.push_back(line.substr(line.find('\t') + 1));
  }
  ASSERT_GE(questions.size(), 5u);
  std::vector<std::string> answers;
  for (const std::vector<Answer>& of_line :
       Translator(GetParam().run, folder_, {}).answer(questions)) {
    answers.push_back(of_line[0].text);
  }
  EXPECT_EQ(answers, expected);
}

TEST_P(Frozen, HasTheStateAndTheLossThatItHad) {
  const RunFile& run = GetParam().run;
  CheckpointStore store(posix_files(), folder_.checkpoints());
  TrainerControl control;
  Recorder recorder(control);
  PrepareOptions options;
  options.folder = folder_;
  const Preparation ready = prepare(run, options, store, recorder);
  EXPECT_THAT(recorder.notices, testing::IsEmpty());
  EXPECT_EQ(ready.state.epoch, run.train.epochs + 1);
  EXPECT_EQ(ready.state.results.size(), static_cast<std::size_t>(run.train.epochs));
  EXPECT_FALSE(ready.state.rows.empty());
  ASSERT_FALSE(ready.state.epochs.empty());
  const EpochDone& last = ready.state.epochs.back();
  EXPECT_EQ(last.step, ready.state.step);
  EXPECT_EQ(last.samples.size(), 3u);
  const HeldOut held_out(*ready.corpus, ready.encoding(), {run.train.batch_size}, run.decode);
  const auto validation =
      held_out.validate(*ready.model, run.seed, run.train.epochs, 3, [] { return true; });
  EXPECT_NEAR(validation->loss, last.valid_loss, 1e-5 * last.valid_loss);
  EXPECT_EQ(validation->scores.exact, last.scores.exact);
  EXPECT_EQ(validation->samples[0].output, last.samples[0].output);
}

TEST_P(Frozen, GoesOn) {
  RunFile run = GetParam().run;
  run.train.epochs += 1;
  TrainerOptions options;
  options.folder = folder_;
  options.changes.epochs = true;
  TrainerControl control;
  Recorder recorder(control);
  Trainer(run, options, recorder, control).run();
  ASSERT_TRUE(recorder.epochs.contains(run.train.epochs));
  EXPECT_LT(recorder.epochs.at(run.train.epochs).train_loss, 1);
  EXPECT_EQ(recorder.ends.back().reason, EndReason::kAllEpochs);
}

INSTANTIATE_TEST_SUITE_P(EachForm, Frozen, testing::ValuesIn(frozen_runs()),
                         [](const auto& of) { return of.param.name; });

}  // namespace
}  // namespace traind
