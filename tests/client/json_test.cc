#include "client/json_of.h"

#include <cmath>

#include "client/terminal_text.h"
#include "tests/client/golden.h"
#include "tests/client/replies.h"

namespace traind {
namespace {

using test::expect_golden;

TEST(JsonOf, Status) {
  expect_golden("status_running.json", json_text(json_of(test::running_status())));
  expect_golden("status_queued.json", json_text(json_of(test::queued_status())));
}

TEST(JsonOf, Lists) {
  expect_golden("runs.json", json_text({{"runs", json_list(std::vector<v1::Run>{
                                                     test::running_run(), test::failed_run()})}}));
  expect_golden("checkpoints.json",
                json_text({{"checkpoints", json_list(test::two_checkpoints().checkpoints())}}));
  expect_golden("mails.json", json_text({{"mails", json_list(test::four_mails().mails())}}));
}

TEST(JsonOf, WhatAVerificationFound) {
  expect_golden("verify_same.json", json_text(json_of(test::same_result())));
  v1::VerifyResult different = test::different_result();
  expect_golden("verify_different.json", json_text(json_of(different)));
  different.set_distance(INFINITY);
  different.clear_trained_digest();
  EXPECT_TRUE(json_of(different)["distance"].is_null());
  EXPECT_TRUE(json_of(different)["trained_digest"].is_null());
}

TEST(JsonOf, MetricRowsAsLines) {
  std::string text;
  const v1::ListMetricsResponse metrics = test::falling_loss(2);
  for (const auto& row : metrics.rows()) text += json_line(json_of(row));
  expect_golden("metrics.jsonl", text);
}

TEST(JsonOf, EventsAsLines) {
  std::string text;
  for (const auto& event : test::history()) text += json_line(json_of(event));
  text += json_line(json_of(test::changed_event(10)));
  expect_golden("events.jsonl", text);
}

TEST(JsonOf, ProgressAndHeartbeatsAreNotTold) {
  EXPECT_TRUE(json_of(test::progress_event(1)).is_null());
  v1::WatchRunResponse heartbeat;
  heartbeat.mutable_heartbeat();
  EXPECT_TRUE(json_of(heartbeat).is_null());
}

TEST(JsonOf, GaugesAreNumbersOnAGpuAndNullElsewhere) {
  v1::GetStatusResponse status = test::gpu_status();
  Json progress = json_of(status)["progress"];
  EXPECT_EQ(progress["gpu_utilisation"], 0.87);
  EXPECT_EQ(progress["gpu_memory_bytes"], 31.2e9);
  EXPECT_EQ(progress["gpu_memory_total_bytes"], 150.7e9);
  EXPECT_EQ(progress["gpu_celsius"], 61);
  EXPECT_EQ(progress["gpu_watts"], 412.5);
  status.mutable_progress()->mutable_gpu()->set_watts(std::nan(""));
  EXPECT_TRUE(json_of(status)["progress"]["gpu_watts"].is_null());
  v1::MetricRow row;
  *row.mutable_gpu() = status.progress().gpu();
  EXPECT_EQ(json_of(row)["gpu_celsius"], 61);
  EXPECT_TRUE(json_of(v1::MetricRow())["gpu_celsius"].is_null());
}

TEST(JsonOf, WhatALanguageModelDoesNotAnswerIsNull) {
  const Json run = json_of(test::language_model_status())["run"];
  for (const auto& [name, value] : run["scores"].items()) {
    if (name == "examples" || name == "corrupted") continue;
    EXPECT_TRUE(value.is_null()) << name;
  }
  EXPECT_EQ(run["perplexity"], std::exp(0.6543));
  EXPECT_EQ(run["measure"], "loss");
}

TEST(JsonOf, TheReasonOfAnEndIsAWordForPrograms) {
  EXPECT_EQ(json_of(test::completed_status())["run"]["end_reason"], "early_stop");
  EXPECT_TRUE(json_of(test::running_status())["run"]["end_reason"].is_null());
}

TEST(JsonOf, NumbersAreNumbersToTheLastDigit) {
  v1::MetricRow row;
  row.set_step(9007199254740993);
  row.set_loss(0.1);
  const Json json = Json::parse(json_line(json_of(row)));
  EXPECT_EQ(json["step"].get<std::int64_t>(), 9007199254740993);
  EXPECT_EQ(json["loss"].get<double>(), 0.1);
}

TEST(JsonOf, WhatIsNotANumberIsNull) {
  v1::MetricRow row;
  row.set_loss(std::nan(""));
  row.set_gradient_norm(INFINITY);
  const Json json = json_of(row);
  EXPECT_TRUE(json["loss"].is_null());
  EXPECT_TRUE(json["gradient_norm"].is_null());
}

TEST(JsonOf, HostileStringsSurviveTheJourneyAndNothingElse) {
  v1::Run run = test::running_run();
  run.set_reason("\x1b[2J\u202e\u009b\x7f");
  const std::string text = json_text(json_of(run));
  EXPECT_EQ(neutral(text, Lines::kMany), text);
  EXPECT_EQ(Json::parse(text)["reason"], run.reason());
  run.set_reason("a\xff");
  EXPECT_EQ(Json::parse(json_text(json_of(run)))["reason"], "a\ufffd");
}

}  // namespace
}  // namespace traind
