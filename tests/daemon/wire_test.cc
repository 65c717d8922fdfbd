#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <type_traits>

#include "daemon/frames.h"
#include "daemon/logging.h"
#include "daemon/messages.h"
#include "daemon/rpc_error.h"
#include "daemon/ulid.h"
#include "daemon/worker_log.h"
#include "tests/daemon/scratch.h"

namespace traind {
namespace {

using ::testing::ElementsAre;

TEST(FrameReader, GivesMessagesHoweverTheBytesArrive) {
  const std::string bytes = framed("one") + framed("") + framed(std::string(70'000, 'x'));
  for (const std::size_t piece :
       {std::size_t{1}, std::size_t{3}, std::size_t{4096}, bytes.size()}) {
    FrameReader reader;
    std::vector<std::string> messages;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.append(std::string_view(bytes).substr(at, piece));
      while (auto message = reader.next()) messages.push_back(*message);
    }
    EXPECT_THAT(messages, ElementsAre("one", "", std::string(70'000, 'x')));
    EXPECT_FALSE(reader.torn());
  }
}

TEST(FrameReader, RefusesALengthAboveTheLimitBeforeItComes) {
  FrameReader reader(100);
  reader.append(framed(std::string(100, 'x')));
  EXPECT_TRUE(reader.next());
  reader.append(std::string("\x65\0\0\0", 4));
  EXPECT_THROW(reader.next(), Error);
}

std::string event(const std::function<void(v1::WorkerEvent&)>& fill) {
  v1::WorkerEvent message;
  fill(message);
  return message.SerializeAsString();
}

TEST(EventDecoder, KeepsEveryFieldOfAMetricRow) {
  const MetricRow row{7, 2, 3, 10, 24, 0.5, 0.75, 0.6, 1.5, 0.001, 100, 2000, 12};
  const Event decoded =
      decode_event(event([&](auto& message) { *message.mutable_metric_row() = to_message(row); }));
  EXPECT_EQ(to_message(std::get<MetricRow>(decoded)).SerializeAsString(),
            to_message(row).SerializeAsString());
}

TEST(EventDecoder, KeepsEveryGaugeOfAGpuAndInventsNone) {
  MetricRow row;
  row.gpu = {0.87, 40e9, 150e9, GpuGauges::kUnknown, 412.5};
  Progress progress;
  progress.gpu = row.gpu;
  const auto journey = [](const auto& from, auto field) {
    v1::WorkerEvent message;
    *(message.*field)() = to_message(from);
    return std::get<std::decay_t<decltype(from)>>(decode_event(message.SerializeAsString()));
  };
  for (const GpuGauges& gpu : {journey(row, &v1::WorkerEvent::mutable_metric_row).gpu,
                               journey(progress, &v1::WorkerEvent::mutable_progress).gpu}) {
    EXPECT_EQ(gpu.utilisation, 0.87);
    EXPECT_EQ(gpu.memory_bytes, 40e9);
    EXPECT_EQ(gpu.memory_total_bytes, 150e9);
    EXPECT_TRUE(std::isnan(gpu.celsius));
    EXPECT_EQ(gpu.watts, 412.5);
  }
  EXPECT_FALSE(journey(MetricRow{}, &v1::WorkerEvent::mutable_metric_row).gpu.known());
  EXPECT_FALSE(journey(Progress{}, &v1::WorkerEvent::mutable_progress).gpu.known());
}

TEST(EventDecoder, KeepsEveryFieldOfAnEpoch) {
  const Scores scores{100, 0.4, 0.9, 80, 0.3, 0.2, 0.85, 0.1, 0.6, 41.5, "nrefs:1"};
  EpochDone epoch{3,     10,     900, 0.4, 0.5, scores, {{"a", "b", "c"}}, true,
                  0.001, "00ff", 60,  180, 11,  22,     Measure::kBleu};
  const Event decoded = decode_event(
      event([&](auto& message) { *message.mutable_epoch_done() = to_message(epoch); }));
  EXPECT_EQ(to_message(std::get<EpochDone>(decoded)).SerializeAsString(),
            to_message(epoch).SerializeAsString());
}

TEST(EventDecoder, KeepsEveryFieldOfAStartAndOfAChangedSetting) {
  RunStarted started;
  started.resumed_step = 7;
  started.started_from = "initial.safetensors";
  const SettingChanged change{"train.epochs", "3", "5", 1200, 4};
  const Event start = decode_event(
      event([&](auto& message) { *message.mutable_run_started() = to_message(started); }));
  EXPECT_EQ(to_message(std::get<RunStarted>(start)).SerializeAsString(),
            to_message(started).SerializeAsString());
  const Event changed = decode_event(
      event([&](auto& message) { *message.mutable_setting_changed() = to_message(change); }));
  EXPECT_EQ(to_message(std::get<SettingChanged>(changed)).SerializeAsString(),
            to_message(change).SerializeAsString());
  EXPECT_EQ(std::get<SettingChanged>(changed).is, "5");
}

TEST(EventDecoder, KeepsEveryReasonOfAnEnd) {
  for (const EndReason reason :
       {EndReason::kAllEpochs, EndReason::kStopRequested, EndReason::kEarlyStop,
        EndReason::kStepLimit, EndReason::kTimeLimit}) {
    const Event ended = decode_event(
        event([&](auto& message) { message.mutable_run_ended()->set_reason(to_message(reason)); }));
    EXPECT_EQ(std::get<RunEnded>(ended).reason, reason);
  }
}

TEST(EventDecoder, RefusesWhatCannotBe) {
  const std::vector<std::string> bad = {
      "",
      "\xff\xff\xff",
      event([](auto& m) { m.mutable_metric_row()->set_step(-1); }),
      event([](auto& m) { m.mutable_epoch_done()->set_epoch(-3); }),
      event([](auto& m) { m.mutable_progress()->set_phase(static_cast<v1::Phase>(99)); }),
      event([](auto& m) { m.mutable_progress(); }),
      event([](auto& m) { m.mutable_checkpoint_pruned()->set_file("../etc/passwd"); }),
      event([](auto& m) { m.mutable_checkpoint_pruned()->set_file(".hidden"); }),
      event([](auto& m) { m.mutable_checkpoint_pruned(); }),
      event([](auto& m) { m.mutable_checkpoint_loading()->set_file("../x"); }),
      event([](auto& m) { m.mutable_checkpoint_loading(); }),
      event([](auto& m) { m.mutable_run_ended(); }),
      event([](auto& m) { m.mutable_run_ended()->set_reason(static_cast<v1::EndReason>(6)); }),
      event([](auto& m) { m.mutable_epoch_done()->set_epoch(1); }),
      event([](auto& m) { m.mutable_epoch_done()->set_measure(static_cast<v1::Measure>(8)); }),
      event([](auto& m) { m.mutable_setting_changed(); }),
      event([](auto& m) {
        m.mutable_setting_changed()->set_key("train.epochs");
        m.mutable_setting_changed()->set_step(-1);
      }),
      event([](auto& m) {
        m.mutable_checkpoint_saved()->set_file("a/b");
        m.mutable_checkpoint_saved()->set_reason(v1::CHECKPOINT_REASON_STOP);
      })};
  for (const std::string& bytes : bad) EXPECT_THROW(decode_event(bytes), Error) << bytes;
}

TEST(EventDecoder, CutsALongNoticeAtAWholeCharacter) {
  std::string text(16383, 'x');
  for (int i = 0; i < 10; ++i) text += "\xC3\xA9";
  const Event decoded =
      decode_event(event([&](auto& message) { message.mutable_notice()->set_text(text); }));
  EXPECT_EQ(std::get<Notice>(decoded).text, std::string(16383, 'x') + " ...");
}

TEST(Ulid, SortsByTimeAndIsNeverTheSame) {
  const std::string early = make_ulid(1'700'000'000'000'000);
  const std::string late = make_ulid(1'700'000'000'001'000);
  EXPECT_LT(early, late);
  EXPECT_NE(make_ulid(1'700'000'000'000'000), early);
  EXPECT_TRUE(is_ulid(early));
  EXPECT_FALSE(is_ulid("../" + early.substr(3)));
  // From the specification: 1469918176385 ms is 01ARYZ6S41.
  EXPECT_EQ(make_ulid(1'469'918'176'385'000).substr(0, 10), "01ARYZ6S41");
}

TEST(Printable, LeavesNothingThatSteersATerminal) {
  EXPECT_EQ(printable("a\x1b[2Jb\r\nc\x7f"), "a\uFFFD[2Jb  c\uFFFD");
  EXPECT_EQ(printable("caf\u00E9 \xC2\x9b\u202E"), "caf\u00E9 \uFFFD\uFFFD");
  EXPECT_EQ(printable(std::string(2000, 'x')), std::string(999, 'x') + "\u2026");
}

TEST(RpcError, EveryKindHasItsCode) {
  EXPECT_EQ(rpc_code(ErrorKind::kConfig), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(rpc_code(ErrorKind::kData), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(rpc_code(ErrorKind::kNotFound), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(rpc_code(ErrorKind::kState), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(rpc_code(ErrorKind::kNoSpace), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(rpc_code(ErrorKind::kNoMemory), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(rpc_code(ErrorKind::kCancelled), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(rpc_code(ErrorKind::kInternal), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(rpc_code(ErrorKind::kDevice), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(rpc_code(ErrorKind::kDeviceLost), grpc::StatusCode::INTERNAL);
  EXPECT_LT(rpc_status(Error(ErrorKind::kIo, std::string(100'000, 'x'))).error_message().size(),
            3000u);
}

TEST(WorkerLog, FindsTheLastLines) {
  const Scratch scratch;
  const std::string path = scratch / "worker.log";
  EXPECT_TRUE(last_lines(path, 5).empty());
  write_file(path, "one\ntwo\nthree\nunfinished");
  EXPECT_THAT(last_lines(path, 2), ElementsAre("three", "unfinished"));
  EXPECT_EQ(offset_of_last_lines(path, 2), 8);
  EXPECT_EQ(offset_of_last_lines(path, 0), 0);
  EXPECT_EQ(offset_of_last_lines(path, 100), 0);
  EXPECT_EQ(whole_lines_at(path, 4, 100, false), "two\nthree\n");
  EXPECT_EQ(whole_lines_at(path, 4, 100, true), "two\nthree\nunfinished");
  write_file(path, std::string(200'000, 'x') + "\nlast\n");
  EXPECT_EQ(offset_of_last_lines(path, 1), 200'001);
  EXPECT_EQ(whole_lines_at(path, 0, 1000, false).size(), 1000u);
}

}  // namespace
}  // namespace traind
