// Every field of every event crosses the pipe: a field that is forgotten in the codec is found by
// counting the fields that the message has set.
#include "model/worker/event_codec.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace traind {
namespace {

// Fields of the message that are not set; proto3 leaves out zero, so no value below is zero.
std::vector<std::string> unset_fields(const google::protobuf::Message& message) {
  std::vector<std::string> unset;
  const auto* type = message.GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const auto* field = type->field(i);
    const bool set = field->is_repeated() ? message.GetReflection()->FieldSize(message, field) > 0
                                          : message.GetReflection()->HasField(message, field);
    if (!set) unset.push_back(field->name());
  }
  return unset;
}

const std::vector<std::string> kNone;

TEST(EventCodec, TellsAllOfRunStarted) {
  const auto message = to_proto(RunStarted{"cpu", "name", "reason", 1, 2, 3, 4, 5, 6, 7, 8, 9,
                                           "file", "print", "config", "initial"});
  EXPECT_EQ(unset_fields(message.run_started()), kNone);
  EXPECT_EQ(message.run_started().resumed_step(), 9);
}

TEST(EventCodec, TellsAllOfProgress) {
  const auto message =
      to_proto(Progress{Phase::kSaving, 1, 2, 3, 4, 5, 6, 7, 8, 9, {1, 2, 3, 4, 5}, "t", 10});
  EXPECT_EQ(unset_fields(message.progress()), kNone);
  EXPECT_EQ(message.progress().phase(), v1::PHASE_SAVING);
  EXPECT_EQ(message.progress().seconds_left(), 9);
  EXPECT_EQ(unset_fields(message.progress().gpu()), kNone);
}

TEST(EventCodec, TellsAllOfMetricRow) {
  const auto message =
      to_proto(MetricRow{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, {1, 2, 3, 4, 5}});
  EXPECT_EQ(unset_fields(message.metric_row()), kNone);
  EXPECT_EQ(message.metric_row().valid_loss(), 8);
  EXPECT_EQ(message.metric_row().gpu().memory_bytes(), 2);
  EXPECT_EQ(unset_fields(message.metric_row().gpu()), kNone);
}

TEST(EventCodec, TellsNoGaugesWithoutAGpu) {
  EXPECT_FALSE(to_proto(Progress{}).progress().has_gpu());
  EXPECT_FALSE(to_proto(MetricRow{}).metric_row().has_gpu());
}

TEST(EventCodec, TellsAllOfEpochDone) {
  const Scores scores{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, "s"};
  EpochDone epoch{1, 2,   3, 4, 5, scores, {{"s", "t", "o"}}, true,
                  6, "d", 7, 8, 9, 10,     Measure::kBleu};
  const auto message = to_proto(epoch);
  EXPECT_EQ(unset_fields(message.epoch_done()), kNone);
  EXPECT_EQ(unset_fields(message.epoch_done().scores()), kNone);
  EXPECT_EQ(unset_fields(message.epoch_done().samples(0)), kNone);
  EXPECT_EQ(message.epoch_done().measure(), v1::MEASURE_BLEU);
  EXPECT_EQ(message.epoch_done().scores().word_error_rate(), 9);
}

TEST(EventCodec, TellsEveryMeasureByItsOwnName) {
  const auto told = [](Measure measure) {
    EpochDone epoch;
    epoch.measure = measure;
    return v1::Measure_Name(to_proto(epoch).epoch_done().measure());
  };
  EXPECT_EQ(told(Measure::kLoss), "MEASURE_LOSS");
  EXPECT_EQ(told(Measure::kExact), "MEASURE_EXACT");
  EXPECT_EQ(told(Measure::kCharacterAccuracy), "MEASURE_CHARACTER_ACCURACY");
  EXPECT_EQ(told(Measure::kCharacterErrorRate), "MEASURE_CHARACTER_ERROR_RATE");
  EXPECT_EQ(told(Measure::kWordErrorRate), "MEASURE_WORD_ERROR_RATE");
  EXPECT_EQ(told(Measure::kBleu), "MEASURE_BLEU");
  EXPECT_EQ(told(Measure::kCorrection), "MEASURE_CORRECTION");
}

TEST(EventCodec, TellsAllOfASettingThatChanged) {
  const auto message = to_proto(SettingChanged{"train.epochs", "3", "5", 1200, 4});
  EXPECT_EQ(unset_fields(message.setting_changed()), kNone);
  EXPECT_EQ(message.setting_changed().was(), "3");
  EXPECT_EQ(message.setting_changed().is(), "5");
}

TEST(EventCodec, TellsAllOfTheCheckpointEvents) {
  const auto saved =
      to_proto(CheckpointSaved{"f", 1, 2, CheckpointReason::kStop, 3, "d", true, 4, 5});
  EXPECT_EQ(unset_fields(saved.checkpoint_saved()), kNone);
  EXPECT_EQ(unset_fields(to_proto(CheckpointPruned{"f"}).checkpoint_pruned()), kNone);
  EXPECT_EQ(unset_fields(to_proto(CheckpointLoading{"f"}).checkpoint_loading()), kNone);
}

TEST(EventCodec, TellsAllOfTheEnd) {
  EXPECT_EQ(unset_fields(to_proto(Notice{ErrorKind::kIo, "t"}).notice()), kNone);
  EXPECT_EQ(unset_fields(to_proto(RunEnded{EndReason::kAllEpochs, 1, 2, "d", 3}).run_ended()),
            kNone);
  const auto reason = [](EndReason why) {
    return v1::EndReason_Name(to_proto(RunEnded{why, 1, 2, "d", 3}).run_ended().reason());
  };
  EXPECT_EQ(reason(EndReason::kAllEpochs), "END_REASON_ALL_EPOCHS");
  EXPECT_EQ(reason(EndReason::kStopRequested), "END_REASON_STOP_REQUESTED");
  EXPECT_EQ(reason(EndReason::kEarlyStop), "END_REASON_EARLY_STOP");
  EXPECT_EQ(reason(EndReason::kStepLimit), "END_REASON_STEP_LIMIT");
  EXPECT_EQ(reason(EndReason::kTimeLimit), "END_REASON_TIME_LIMIT");
  const auto failed = to_proto(RunFailed{ErrorKind::kDiverged, "m"});
  EXPECT_EQ(unset_fields(failed.run_failed()), kNone);
  EXPECT_EQ(failed.run_failed().kind(), "diverged");
}

}  // namespace
}  // namespace traind
