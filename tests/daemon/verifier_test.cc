// The verifier with workers that follow a plan: what it tells, and that it leaves nothing behind.
#include "daemon/verifier.h"

#include <gmock/gmock.h>

#include <optional>
#include <vector>

#include "model/base/error.h"
#include "tests/daemon/scratch.h"

namespace traind {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class VerifierTest : public ::testing::Test {
 protected:
  VerifierTest() : config_(quick_config(scratch_)) {}

  std::shared_ptr<Verifier::Feed> begin(const std::string& plan) {
    RunRow run;
    run.id = "01JD7Q0000000000000000000A";
    run.name = "a";
    run.started.device_name = "Another processor";
    write_file(config_.run_folder(run.id) + "/run.toml", "#verify " + plan + "\n");
    v1::VerifyStarted started;
    started.mutable_run()->set_name(run.name);
    return verifier_->begin(run, started);
  }

  // Everything it tells, to its end.
  static std::vector<v1::VerifyRunResponse> told_by(Verifier::Feed& feed) {
    std::vector<v1::VerifyRunResponse> told;
    v1::VerifyRunResponse one;
    EXPECT_TRUE(eventually([&] {
      const FeedStep step = feed.next(one, StreamPump::Clock::now());
      if (step.state == FeedState::kMessage) told.push_back(one);
      return step.state == FeedState::kEnd;
    }));
    return told;
  }
  static Error error_of_feed(Verifier::Feed& feed) {
    try {
      told_by(feed);
    } catch (const Error& error) {
      return error;
    }
    return {ErrorKind::kInternal, "nothing failed"};
  }
  bool nothing_is_left() const {
    const fs::path folder = scratch_ / "verify";
    return !fs::exists(folder) || fs::is_empty(folder);
  }
  // What the worker has put into its folder: that it lives, as number.
  std::optional<pid_t> worker() const {
    const fs::path folder = scratch_ / "verify";
    if (!fs::exists(folder)) return std::nullopt;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const std::string number = content_of(entry.path() / "pid");
      if (!number.empty()) return std::stoi(number);
    }
    return std::nullopt;
  }

  Scratch scratch_;
  DaemonConfig config_;
  std::unique_ptr<Verifier> verifier_ = std::make_unique<Verifier>(config_);
};

TEST_F(VerifierTest, TellsTheRunTheProgressAndTheResult) {
  const auto feed = begin("same");
  const std::vector<v1::VerifyRunResponse> told = told_by(*feed);
  ASSERT_GE(told.size(), 2u);
  EXPECT_EQ(told.front().started().run().name(), "a");
  for (std::size_t i = 1; i + 1 < told.size(); ++i) EXPECT_EQ(told[i].progress().step(), 15);
  EXPECT_EQ(told.back().result().verdict(), v1::VERDICT_SAME);
  EXPECT_THAT(
      told.back().result().notes(),
      ElementsAre(HasSubstr("trained on Another processor, and this was trained on A fake")));
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(VerifierTest, ARefusalIsTheErrorThatTheWorkerNames) {
  const Error error = error_of_feed(*begin("refuse"));
  EXPECT_EQ(error.kind(), ErrorKind::kState);
  EXPECT_STREQ(error.what(), "one good checkpoint alone");
}

TEST_F(VerifierTest, ACrashIsAnErrorWithItsLastWords) {
  const Error error = error_of_feed(*begin("crash"));
  EXPECT_EQ(error.kind(), ErrorKind::kInternal);
  EXPECT_THAT(error.what(), HasSubstr("last words of a verification"));
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(VerifierTest, NonsenseAndNoResultAreErrors) {
  EXPECT_EQ(error_of_feed(*begin("garbage")).kind(), ErrorKind::kCorrupt);
  EXPECT_THAT(error_of_feed(*begin("nothing")).what(), HasSubstr("told no result"));
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(VerifierTest, OneThatFallsSilentIsEnded) {
  config_.worker.stall_timeout = std::chrono::milliseconds(200);
  EXPECT_THAT(error_of_feed(*begin("hang")).what(), HasSubstr("gave no answer within"));
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(VerifierTest, ThereIsOneAtATimeAndItEndsWithItsFeed) {
  auto feed = begin("hang");
  ASSERT_TRUE(eventually([&] { return worker().has_value(); }));
  const pid_t pid = *worker();
  try {
    begin("same");
    FAIL() << "two at a time";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kState);
    EXPECT_THAT(error.what(), HasSubstr("a verification of run a is under way"));
  }
  feed.reset();
  // Waits for the one that is being ended.
  feed = begin("same");
  EXPECT_NE(kill(pid, 0), 0);
  EXPECT_EQ(told_by(*feed).back().result().verdict(), v1::VERDICT_SAME);
}

TEST_F(VerifierTest, WithTheDaemonItEndsAndBeginsNoMore) {
  const auto feed = begin("hang");
  ASSERT_TRUE(eventually([&] { return worker().has_value(); }));
  const pid_t pid = *worker();
  verifier_->stop();
  EXPECT_EQ(error_of_feed(*feed).kind(), ErrorKind::kCancelled);
  EXPECT_THROW(begin("same"), Error);
  verifier_.reset();
  EXPECT_NE(kill(pid, 0), 0);
  EXPECT_TRUE(nothing_is_left());
}

TEST_F(VerifierTest, WhatAKilledDaemonLeftIsRemoved) {
  write_file(scratch_ / "verify/01JD7P/traind-verify/checkpoints/x", "left");
  verifier_ = std::make_unique<Verifier>(config_);
  EXPECT_TRUE(nothing_is_left());
  // Its worker may have lived on for a moment.
  write_file(scratch_ / "verify/01JD7P/traind-verify/cache/x", "left");
  told_by(*begin("same"));
  EXPECT_TRUE(nothing_is_left());
}

}  // namespace
}  // namespace traind
