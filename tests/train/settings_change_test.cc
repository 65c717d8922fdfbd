// What may differ between a checkpoint and the run file it is resumed with.
#include "model/train/settings_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/trainer_case.h"

namespace traind {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr Changes kAll{.learning_rate = true, .epochs = true, .batch_size = true};

class SettingsChange : public testing::Test {
 protected:
  SettingsChange() {
    was_.data.train = "a.tsv";
    is_ = was_;
    state_.step = 17;
    state_.epoch = 3;
  }
  std::vector<SettingChanged> accept(const Changes& allowed) const {
    return accepted_changes(identity_of(was_), state_, is_, allowed);
  }
  std::string refusal(const Changes& allowed) const {
    return failure_of([&] { accept(allowed); }, ErrorKind::kConfig);
  }
  RunFile was_;
  RunFile is_;
  TrainState state_;
};

TEST_F(SettingsChange, NothingDifferentIsNoChange) { EXPECT_THAT(accept(kAll), IsEmpty()); }

TEST_F(SettingsChange, ARateIsTrueFromTheNextUpdateOn) {
  is_.train.learning_rate = 0.25;
  state_.batch = 5;
  const auto changes = accept({.learning_rate = true});
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].key, "train.learning_rate");
  EXPECT_EQ(changes[0].was, "0.001");
  EXPECT_EQ(changes[0].is, "0.25");
  EXPECT_EQ(changes[0].step, 17);
  EXPECT_EQ(changes[0].epoch, 3);
}

TEST_F(SettingsChange, ABatchSizeWaitsForTheNextEpochWhenOneIsUnderWay) {
  is_.train.batch_size = 64;
  EXPECT_EQ(accept({.batch_size = true}).at(0).epoch, 3);
  state_.batch = 5;
  const auto changes = accept({.batch_size = true});
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].epoch, 4);
  EXPECT_EQ(changes[0].was, "128");
  EXPECT_EQ(changes[0].is, "64");
}

TEST_F(SettingsChange, TokensInPlaceOfExamplesAreOneChange) {
  is_.train.batch_tokens = 4096;
  const auto changes = accept({.batch_size = true});
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].key, "train.batch_tokens");
  EXPECT_EQ(changes[0].was, "batch_size = 128");
  EXPECT_EQ(changes[0].is, "4096");
}

TEST_F(SettingsChange, EachIsAllowedByNameAlone) {
  is_.train.learning_rate = 0.25;
  is_.train.epochs = 20;
  EXPECT_THAT(refusal({.learning_rate = true, .batch_size = true}),
              AllOf(HasSubstr("train.epochs: was 10, is 20"), HasSubstr("--epochs"),
                    Not(HasSubstr("learning_rate"))));
  EXPECT_EQ(accept({.learning_rate = true, .epochs = true}).size(), 2u);
}

TEST_F(SettingsChange, EverythingElseIsRefusedAndNoFlagIsOffered) {
  is_.model.dropout = 0.5;
  is_.train.accumulate = 4;
  is_.train.optimizer = Optimizer::kSgd;
  EXPECT_THAT(
      refusal(kAll),
      AllOf(HasSubstr("model.dropout: was 0.0, is 0.5"), HasSubstr("train.accumulate: was 1, is 4"),
            HasSubstr("train.beta1: was 0.9, is not set"),
            HasSubstr("train.momentum: was not set, is 0.9"), Not(HasSubstr("--"))));
}

TEST_F(SettingsChange, FewerEpochsThanHaveBegunAreRefused) {
  is_.train.epochs = 2;
  EXPECT_EQ(accept(kAll).size(), 1u);  // two are done, and that is all
  state_.batch = 1;
  EXPECT_THAT(refusal(kAll), HasSubstr("give at least 3"));
  is_.train.epochs = 3;
  EXPECT_EQ(accept(kAll).at(0).is, "3");
}

}  // namespace
}  // namespace traind
