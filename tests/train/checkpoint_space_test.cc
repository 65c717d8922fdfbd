// How much room a run's checkpoints still need.
#include "model/train/checkpoint_space.h"

#include <gmock/gmock.h>

#include "model/base/error.h"
#include "model/train/trainer.h"
#include "tests/train/trainer_case.h"

namespace traind {
namespace {

using ::testing::HasSubstr;

TEST(CheckpointSpace, IsForThoseThatAreKeptTheBestAndTheOneBeingWritten) {
  const ScratchFolder folder;
  const CheckpointSpace none = checkpoint_space(folder.path(), 103'000'000, 3, 0);
  EXPECT_EQ(none.needed(), 5u * 103'000'000);
  EXPECT_THAT(none.in_words(), HasSubstr("need 515 MB (5 times 103 MB)"));
  EXPECT_THAT(none.in_words(), HasSubstr("free in " + folder.path() + ": make room"));
  EXPECT_EQ(checkpoint_space(folder.path(), 10, 3, 2).needed(), 30u);
  EXPECT_EQ(checkpoint_space(folder.path(), 10, 3, 4).needed(), 10u);
  EXPECT_EQ(checkpoint_space(folder.path(), 10, 3, 99).needed(), 10u) << "the next one is written";
}

TEST(CheckpointSpace, IsEnoughToTheByte) {
  CheckpointSpace space{100, 5, 500, "/x"};
  EXPECT_TRUE(space.enough());
  space.free = 499;
  EXPECT_FALSE(space.enough());
}

// More checkpoints than any disk holds.
class CrampedRun : public TrainerTest {
 protected:
  CrampedRun() { run_.checkpoint.keep = 2'000'000'000; }

  void train_with_space(Recorder& recorder, TrainerControl& control) const {
    TrainerOptions options;
    options.folder = folder("run");
    options.needs_space = true;
    Trainer(run_, options, recorder, control).run();
  }
};

TEST_F(CrampedRun, IsRefusedWhenItIsToBeginAndSaysWhatToDo) {
  TrainerControl control;
  Recorder recorder(control);
  EXPECT_THAT(failure_of([&] { train_with_space(recorder, control); }, ErrorKind::kNoSpace),
              HasSubstr("make room, or lower checkpoint.keep"));
}

TEST_F(CrampedRun, GoesOnWhenItHasBegunAndSaysSo) {
  const int keep = std::exchange(run_.checkpoint.keep, 2);
  TrainerControl first;
  Recorder before(first);
  train_and_stop("run", before, 3);
  run_.checkpoint.keep = keep;
  TrainerControl control;
  Recorder recorder(control);
  train_with_space(recorder, control);
  EXPECT_THAT(recorder.notices, ::testing::ElementsAre(HasSubstr("this run's checkpoints need")));
  EXPECT_EQ(recorder.ends.back().reason, EndReason::kAllEpochs);
}

}  // namespace
}  // namespace traind
