// Resuming with another learning rate, number of epochs or batch size, each allowed by name; and
// beginning with the weights of another run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "model/checkpoint/store.h"
#include "model/train/initial_weights.h"
#include "tests/train/trainer_case.h"

namespace traind {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ChangedRun : public TrainerTest {
 protected:
  // Seven batches an epoch; stopped after the update of this number.
  void begin(std::int64_t step) {
    TrainerControl unused;
    Recorder recorder(unused);
    train_and_stop("run", recorder, step);
  }
};

TEST_F(ChangedRun, GoesOnWithAnotherRateFromTheNextUpdateOn) {
  begin(9);
  run_.train.learning_rate = 0.002;
  changes_.learning_rate = true;
  const auto rest = train_to_end("run");
  ASSERT_THAT(rest->changes, SizeIs(1));
  EXPECT_EQ(rest->changes[0].key, "train.learning_rate");
  EXPECT_EQ(rest->changes[0].was, "0.01");
  EXPECT_EQ(rest->changes[0].is, "0.002");
  EXPECT_EQ(rest->changes[0].step, 9);
  EXPECT_EQ(rest->changes[0].epoch, 2);
  EXPECT_EQ(rest->rows.at(10).rate, 0.002);
  EXPECT_EQ(rest->epochs.at(3).rate, 0.002);
  EXPECT_THAT(rest->starts.at(0).config, HasSubstr("learning_rate = 0.002\n"));
}

TEST_F(ChangedRun, IsToldOnceACheckpointHoldsItNoMore) {
  begin(9);
  run_.train.learning_rate = 0.002;
  changes_ = {.learning_rate = true, .epochs = true, .batch_size = true};
  TrainerControl unused;
  Recorder recorder(unused);
  train_and_stop("run", recorder, 12);
  EXPECT_THAT(recorder.changes, SizeIs(1));
  EXPECT_THAT(train_to_end("run")->changes, IsEmpty());
}

TEST_F(ChangedRun, RefusesWhatIsNotNamed) {
  begin(9);
  run_.train.learning_rate = 0.002;
  run_.train.epochs = 5;
  run_.train.batch_size = 4;
  changes_ = {.learning_rate = true};
  EXPECT_THAT(failure_of([&] { train_to_end("run"); }, ErrorKind::kConfig),
              AllOf(HasSubstr("train.epochs: was 3, is 5"),
                    HasSubstr("train.batch_size: was 8, is 4"), HasSubstr("--batch-size")));
}

TEST_F(ChangedRun, MoreEpochsLetACompletedRunGoOnAsIfItHadAlwaysHadThem) {
  run_.train.epochs = 5;
  const auto whole = train_to_end("whole");
  run_.train.epochs = 3;
  train_to_end("run");
  run_.train.epochs = 5;
  changes_.epochs = true;
  const auto rest = train_to_end("run");
  EXPECT_EQ(rest->ends.at(0).digest, whole->ends[0].digest);
  EXPECT_EQ(rest->ends[0].reason, EndReason::kAllEpochs);
  EXPECT_EQ(rest->changes.at(0).epoch, 4);
  EXPECT_EQ(rest->epochs.at(5).valid_loss, whole->epochs.at(5).valid_loss);
}

TEST_F(ChangedRun, FewerEpochsEndItEarlierAndNotBeforeWhatHasBegun) {
  begin(9);
  changes_.epochs = true;
  run_.train.epochs = 1;
  EXPECT_THAT(failure_of([&] { train_to_end("run"); }, ErrorKind::kConfig),
              HasSubstr("give at least 2"));
  run_.train.epochs = 2;
  const auto rest = train_to_end("run");
  EXPECT_EQ(rest->ends.at(0).step, 14);
  EXPECT_EQ(rest->epochs.rbegin()->first, 2);
}

// The epoch under way ends with the batches it began with, however often it is interrupted.
TEST_F(ChangedRun, ABatchSizeIsTrueFromTheNextEpochOn) {
  const auto before = train_to_end("before");
  begin(9);
  run_.train.batch_size = 4;
  changes_.batch_size = true;
  std::filesystem::copy(folder("run").path, folder("copy").path,
                        std::filesystem::copy_options::recursive);
  const auto rest = train_to_end("run");
  EXPECT_EQ(rest->changes.at(0).epoch, 3);
  for (std::int64_t step = 10; step <= 14; ++step) {
    EXPECT_EQ(rest->rows.at(step).loss, before->rows.at(step).loss) << step;
  }
  EXPECT_EQ(rest->rows.at(14).batches_per_epoch, 7);
  EXPECT_EQ(rest->rows.at(15).batches_per_epoch, 13);
  EXPECT_EQ(rest->rows.at(15).inputs, 4);
  // Stopped again before that epoch's end, and in the next one.
  for (const std::int64_t step : {11, 17}) {
    TrainerControl unused;
    Recorder again(unused);
    train_and_stop("copy", again, step);
  }
  const auto last = train_to_end("copy");
  EXPECT_THAT(last->changes, IsEmpty());
  EXPECT_EQ(last->ends.at(0).digest, rest->ends.at(0).digest);
  EXPECT_EQ(last->ends[0].step, rest->ends[0].step);
}

TEST_F(ChangedRun, BetweenTwoEpochsABatchSizeIsTrueAtOnce) {
  train_to_end("run");
  run_.train.batch_size = 64;
  run_.train.epochs = 4;
  changes_ = {.epochs = true, .batch_size = true};
  const auto rest = train_to_end("run");
  ASSERT_THAT(rest->changes, SizeIs(2));
  EXPECT_EQ(rest->changes[1].epoch, 4);
  EXPECT_EQ(rest->rows.at(22).batches_per_epoch, 1);
}

class TunedRun : public TrainerTest {
 protected:
  // The newest checkpoint of the run of this name becomes the other's beginning.
  void hand_on(const std::string& from, const std::string& to) const {
    const CheckpointStore store(posix_files(), folder(from).checkpoints());
    make_folders(folder(to).path);
    copy_initial(posix_files(), store.folder() + "/" + store.list().front(), folder(to).initial());
  }
  void stand_still() {
    run_.train.optimizer = Optimizer::kSgd;
    run_.train.learning_rate = 1e-12;
    run_.train.momentum = 0;
  }
};

TEST_F(TunedRun, BeginsWithTheWeightsAndWithNothingElse) {
  const auto first = train_to_end("first");
  hand_on("first", "second");
  stand_still();
  run_.name = "tuned";
  run_.train.epochs = 1;
  const auto second = train_to_end("second");
  // No weight moves with such a rate: they are the first run's, though the optimizer is another.
  EXPECT_EQ(second->ends.at(0).digest, first->ends.at(0).digest);
  EXPECT_EQ(second->starts.at(0).started_from, "sums " + checkpoint_name(21));
  EXPECT_EQ(second->starts[0].resumed_step, -1);
  EXPECT_EQ(second->ends[0].step, 7);
  EXPECT_EQ(second->epochs.at(1).valid_loss, first->epochs.at(3).valid_loss);
}

TEST_F(TunedRun, HasItsOwnMomentsAndGoesOnFromItsOwnCheckpoints) {
  train_to_end("first");
  hand_on("first", "whole");
  const auto whole = train_to_end("whole");
  hand_on("first", "run");
  TrainerControl unused;
  Recorder recorder(unused);
  train_and_stop("run", recorder, 5);
  TrainerControl second;
  train("run", recorder, second);
  EXPECT_EQ(recorder.starts.back().started_from, "sums " + checkpoint_name(21));
  EXPECT_EQ(recorder.starts.back().resumed_step, 5);
  expect_same(recorder, *whole);
}

TEST_F(TunedRun, KeepsTheVocabulariesThatItsEmbeddingsBelongTo) {
  const auto first = train_to_end("first");
  run_.data.train = scratch_.path() + "/words.tsv";
  std::ofstream words(run_.data.train);
  for (int i = 0; i < 60; ++i) words << "word" << i << "\tother" << i << "\n";
  words.close();
  hand_on("first", "second");
  const auto second = train_to_end("second");
  EXPECT_EQ(second->starts.at(0).source_vocabulary, first->starts.at(0).source_vocabulary);
  EXPECT_EQ(second->starts[0].target_vocabulary, first->starts[0].target_vocabulary);
}

TEST_F(TunedRun, RefusesTheWeightsOfAnotherModelAndSaysWhere) {
  const ModelSection model = run_.model;
  train_to_end("first");
  hand_on("first", "second");
  const auto refusal = [&] {
    return failure_of([&] { train_to_end("second"); }, ErrorKind::kConfig);
  };
  run_.model.hidden = 16;
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("the weights of sums " + checkpoint_name(21)),
                    HasSubstr("encoder.lstm.weight_ih_l0 is [16, 6] and would be [32, 6] here"),
                    HasSubstr("model.hidden: was 8, is 16")));
  run_.model = model;
  run_.model.cell = CellKind::kGru;
  EXPECT_THAT(refusal(), HasSubstr("its model.cell is \"lstm\", and this run's is \"gru\""));
  run_.model = model;
  run_.model.attention = false;
  EXPECT_THAT(refusal(), AllOf(HasSubstr("attention.score.weight, [8, 8], has no place here"),
                               HasSubstr("model.attention: was \"general\", is \"none\"")));
  run_.model = model;
  run_.model.layers = 3;
  EXPECT_THAT(refusal(), AllOf(HasSubstr("it has no tensor encoder.lstm.weight_ih_l2"),
                               HasSubstr("model.layers: was 2, is 3")));
  run_.model = model;
  run_.model.dropout = 0;
  train_to_end("second");
}

TEST_F(TunedRun, RefusesADamagedBeginning) {
  train_to_end("first");
  hand_on("first", "second");
  std::filesystem::resize_file(folder("second").initial(), 2000);
  EXPECT_THAT(failure_of([&] { train_to_end("second"); }, ErrorKind::kCorrupt),
              HasSubstr("initial.safetensors"));
}

}  // namespace
}  // namespace traind
