// What a checkpoint says beside the weights must come back exactly.
#include "model/train/train_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>

#include "model/base/error.h"
#include "model/train/record_text.h"

namespace traind {
namespace {

using ::testing::HasSubstr;

TrainState some_state() {
  TrainState state;
  state.step = 123456789012;
  state.batches = 987654321098;
  state.epoch = 3;
  state.batch_size = {0, 4096};
  state.batch = 17;
  state.inputs = 2176;
  state.epoch_loss = 0.1 + 0.2;
  state.epoch_tokens = 999;
  state.epoch_seconds = 12.5;
  state.trained_seconds = 75768.25;
  state.row = {1.0 / 3, 100, 50, 2.0 / 7, 4};
  state.results = {0.1, 1.0 / 3};
  state.best_step = 100;
  state.cut_short = true;
  MetricRow row;
  row.step = 100;
  row.loss = 1.0 / 7;
  row.valid_loss = std::numeric_limits<double>::denorm_min();
  state.rows = {row, row};
  EpochDone epoch;
  epoch.epoch = 2;
  epoch.scores.exact = 0.704;
  epoch.scores.bleu = 100.0 / 3;
  epoch.scores.word_error_rate = 1.25;
  epoch.scores.bleu_signature = "nrefs:1|case:mixed";
  epoch.measure = Measure::kBleu;
  epoch.samples = {{"a\tb", "c\nd", "e\\f"}, {"", "", "\xc3\xa4"}};
  epoch.digest = "0123456789abcdef";
  epoch.best = true;
  state.epochs = {epoch};
  return state;
}

RunIdentity some_identity() {
  return {
      "spelling", {"seed = 1", "model.layers = 2"},           "feedfeedfeedfeed", "v\\n1", "v2\n",
      "x",        "other checkpoint-000000000001.safetensors"};
}

TEST(TrainState, ComesBackExactly) {
  const TrainState state = some_state();
  Metadata metadata;
  encode_state(state, some_identity(), metadata);
  const TrainState back = decode_state(metadata);
  EXPECT_EQ(back.step, state.step);
  EXPECT_EQ(back.epoch_loss, state.epoch_loss);
  EXPECT_EQ(back.batches, state.batches);
  EXPECT_EQ(back.batch_size, state.batch_size);
  EXPECT_EQ(back.results, state.results);
  EXPECT_TRUE(back.cut_short);
  EXPECT_EQ(back.row.loss, state.row.loss);
  ASSERT_EQ(back.rows.size(), 2u);
  EXPECT_EQ(back.rows[1].loss, state.rows[1].loss);
  EXPECT_EQ(back.rows[1].valid_loss, state.rows[1].valid_loss);
  ASSERT_EQ(back.epochs.size(), 1u);
  ASSERT_EQ(back.epochs[0].samples.size(), 2u);
  EXPECT_EQ(back.epochs[0].samples[0].source, "a\tb");
  EXPECT_EQ(back.epochs[0].samples[0].target, "c\nd");
  EXPECT_EQ(back.epochs[0].samples[0].output, "e\\f");
  EXPECT_EQ(back.epochs[0].samples[1].output, "\xc3\xa4");
  EXPECT_EQ(back.epochs[0].measure, Measure::kBleu);
  EXPECT_EQ(back.epochs[0].scores.bleu, state.epochs[0].scores.bleu);
  EXPECT_EQ(back.epochs[0].scores.bleu_signature, state.epochs[0].scores.bleu_signature);
  EXPECT_EQ(decode_identity(metadata).started_from, some_identity().started_from);
  Metadata again;
  encode_state(back, decode_identity(metadata), again);
  EXPECT_EQ(again, metadata);
}

TEST(TrainState, OfABeginningComesBackToo) {
  Metadata metadata;
  encode_state(TrainState{}, some_identity(), metadata);
  const TrainState back = decode_state(metadata);
  EXPECT_TRUE(back.results.empty());
  EXPECT_EQ(back.epoch, 1);
  EXPECT_EQ(back.best_step, -1);
}

TEST(TrainState, RefusesACheckpointThatIsNoRun) {
  try {
    decode_state({});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    EXPECT_THAT(error.what(), HasSubstr("not written by a training run"));
  }
}

TEST(TrainState, RefusesRecordsThatAreCutShort) {
  Metadata metadata;
  encode_state(some_state(), some_identity(), metadata);
  for (const char* key : {"traind.progress", "traind.unstored_rows", "traind.unstored_epochs"}) {
    Metadata cut = metadata;
    cut[key] = cut[key].substr(0, cut[key].size() / 3);
    EXPECT_THROW(decode_state(cut), Error) << key;
  }
}

TEST(TrainState, RefusesARecordThatSaysTooMuchOrAnUnknownMeasure) {
  Metadata metadata;
  encode_state(some_state(), some_identity(), metadata);
  Metadata longer = metadata;
  longer["traind.progress"].insert(longer["traind.progress"].size() - 1, "\t0");
  EXPECT_THROW(decode_state(longer), Error);
  std::string& epochs = metadata["traind.unstored_epochs"];
  epochs.replace(epochs.find("bleu\t"), 4, "blue");
  EXPECT_THROW(decode_state(metadata), Error);
}

// The numbers of traind.progress, by their place, with what no run has been at.
TEST(TrainState, RefusesAPlaceThatNoRunCanBeAt) {
  Metadata metadata;
  encode_state(some_state(), some_identity(), metadata);
  constexpr int kEpoch = 2;
  for (const auto& [place, value] :
       {std::pair{0, "-1"}, std::pair{1, "-1"}, std::pair{kEpoch, "0"}, std::pair{kEpoch, "-3"},
        std::pair{kEpoch, "4294967297"}, std::pair{3, "-17"}, std::pair{4, "-1"}, std::pair{5, "0"},
        std::pair{16, "-2"}, std::pair{17, "2"}}) {
    Metadata wrong = metadata;
    std::string& progress = wrong["traind.progress"];
    std::size_t begin = 0;
    for (int i = 0; i < place; ++i) begin = progress.find('\t', begin) + 1;
    progress.replace(begin, progress.find_first_of("\t\n", begin) - begin, value);
    try {
      decode_state(wrong);
      ADD_FAILURE() << progress;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    }
  }
}

// Of the first form: as many results as epochs were made of the one that is written.
TEST(TrainState, TakesNoMemoryForEpochsThatCannotBe) {
  const auto first_form = [](const std::string& epoch) {
    return Metadata{{"traind.progress", "9\t" + epoch +
                                            "\t0\t0\t0x0p+0\t0\t0x0p+0\t0x0p+0\t0x0p+0\t0\t0"
                                            "\t0x0p+0\t0\t0x1p+0\t9\n"},
                    {"traind.settings", "train.batch_size = 8\n"},
                    {"traind.unstored_rows", ""},
                    {"traind.unstored_epochs", ""}};
  };
  EXPECT_EQ(decode_state(first_form("4")).results.size(), 3u);
  for (const char* epoch : {"0", "-1", "2147483647", "4294967300"}) {
    EXPECT_THROW(decode_state(first_form(epoch)), Error) << epoch;
  }
}

TEST(RecordReader, RefusesWhatIsNoNumber) {
  using namespace std::string_literals;
  EXPECT_THROW(RecordReader("1\0"s).integer(), Error);
  EXPECT_THROW(RecordReader("0x1p+0\0x"s).number(), Error);
  EXPECT_THROW(RecordReader("5").integer(6, 9), Error);
  EXPECT_THROW(RecordReader("5").boolean(), Error);
  EXPECT_THROW(RecordReader("1x").integer(), Error);
  EXPECT_THROW(RecordReader("").number(), Error);
  EXPECT_THROW(RecordReader("99999999999999999999").integer(), Error);
  EXPECT_THROW(RecordReader("a\\").text(), Error);
}

}  // namespace
}  // namespace traind
