// `trainctl watch` on a pseudo-terminal: it is live, survives a restart of the daemon, and gives
// the terminal back however it ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "tests/client/fake_daemon.h"
#include "tests/client/program.h"
#include "tests/client/replies.h"

namespace traind {
namespace {

using test::Canned;
using test::FakeDaemon;
using test::Finished;
using test::TerminalProgram;
using ::testing::HasSubstr;

class WatchTest : public ::testing::Test {
 protected:
  WatchTest() : terminal_({"watch", "-H", daemon_.host()}, 240, 40) {}

  // The picture is on the screen, and the terminal is the watch's own.
  void await_picture() {
    ASSERT_TRUE(terminal_.await("\x1b[?1049h")) << terminal_.shown();
    ASSERT_TRUE(terminal_.await("was passed over")) << terminal_.shown();
    ASSERT_TRUE(terminal_.await("q quits")) << terminal_.shown();
    EXPECT_EQ(terminal_.settings().c_lflag & (ICANON | ECHO), 0u);
  }
  void expect_restored(const Finished& finished) {
    const termios after = terminal_.settings();
    EXPECT_EQ(after.c_lflag, terminal_.settings_before().c_lflag);
    EXPECT_EQ(after.c_iflag, terminal_.settings_before().c_iflag);
    EXPECT_EQ(after.c_oflag, terminal_.settings_before().c_oflag);
    EXPECT_EQ(std::memcmp(after.c_cc, terminal_.settings_before().c_cc, sizeof(after.c_cc)), 0);
    const std::size_t entered = finished.out.rfind("\x1b[?1049h");
    const std::size_t left = finished.out.rfind("\x1b[?1049l");
    const std::size_t cursor = finished.out.rfind("\x1b[?25h");
    ASSERT_NE(left, std::string::npos);
    EXPECT_LT(entered, left);
    EXPECT_LT(finished.out.rfind("\x1b[?25l"), cursor);
  }

  FakeDaemon daemon_;
  TerminalProgram terminal_;
};

TEST_F(WatchTest, ShowsProgressFiguresAndTheCurve) {
  await_picture();
  terminal_.type("q");
  const std::string shown = terminal_.finish().out;
  for (const char* part :
       {"spelling", "training epoch 2 of 3", "█", "27 %", "loss 0.4310", "exact 41.2 %",
        "1,204 examples/s", "training loss", "┤", "is damaged and was passed over"}) {
    EXPECT_THAT(shown, HasSubstr(part));
  }
}

TEST_F(WatchTest, QQuitsAndTheTerminalIsAsBefore) {
  await_picture();
  terminal_.type("q");
  const Finished finished = terminal_.finish();
  EXPECT_EQ(finished.code, 0);
  expect_restored(finished);
}

TEST_F(WatchTest, CtrlCExitsWith130AndTheTerminalIsAsBefore) {
  await_picture();
  terminal_.type("\x03");
  const Finished finished = terminal_.finish();
  EXPECT_EQ(finished.code, 130);
  expect_restored(finished);
}

TEST_F(WatchTest, SigtermGivesTheTerminalBack) {
  await_picture();
  terminal_.signal(SIGTERM);
  const Finished finished = terminal_.finish();
  EXPECT_EQ(finished.code, 143);
  expect_restored(finished);
}

TEST_F(WatchTest, EvenACrashGivesTheTerminalBack) {
  await_picture();
  terminal_.signal(SIGABRT);
  const Finished finished = terminal_.finish();
  EXPECT_EQ(finished.signal, SIGABRT);
  expect_restored(finished);
}

TEST_F(WatchTest, CtrlZGivesTheTerminalBackUntilItIsContinued) {
  await_picture();
  terminal_.type("\x1a");
  ASSERT_TRUE(terminal_.await_stop());
  EXPECT_EQ(terminal_.settings().c_lflag, terminal_.settings_before().c_lflag);
  terminal_.signal(SIGCONT);
  await_picture();
  terminal_.type("q");
  expect_restored(terminal_.finish());
}

TEST_F(WatchTest, IsRedrawnWhenTheWindowChanges) {
  await_picture();
  EXPECT_EQ(terminal_.shown().find("…"), std::string::npos);
  terminal_.resize(30, 10);
  ASSERT_TRUE(terminal_.await("…"));
  terminal_.type("q");
  EXPECT_EQ(terminal_.finish().code, 0);
}

TEST_F(WatchTest, EventsAppearAsTheyHappen) {
  await_picture();
  daemon_.tell(test::progress_event(777));
  ASSERT_TRUE(terminal_.await("batch 777 of 1,125")) << terminal_.shown();
  daemon_.change_state(v1::RUN_STATE_STOPPING, "asked to stop");
  ASSERT_TRUE(terminal_.await("asked to stop"));
}

TEST_F(WatchTest, SurvivesARestartOfTheDaemon) {
  await_picture();
  daemon_.stop();
  ASSERT_TRUE(terminal_.await("reconnecting to traind at unix:")) << terminal_.shown();
  daemon_.start();
  daemon_.change_state(v1::RUN_STATE_RUNNING, "came back to life");
  ASSERT_TRUE(terminal_.await("came back to life")) << terminal_.shown();
  EXPECT_TRUE(daemon_.wait_until([](Canned& canned) {
    return canned.watched_after == std::vector<std::int64_t>({0, 9});
  }));
}

TEST_F(WatchTest, EndsWithTheRunAndLeavesItsStatusBehind) {
  await_picture();
  daemon_.set([](Canned& canned) { canned.status = test::completed_status(); });
  daemon_.change_state(v1::RUN_STATE_COMPLETED, "all epochs");
  const Finished finished = terminal_.finish();
  EXPECT_EQ(finished.code, 0);
  expect_restored(finished);
  const std::string left = finished.out.substr(finished.out.rfind("\x1b[?1049l"));
  EXPECT_THAT(left, HasSubstr("all epochs"));
  EXPECT_THAT(left, HasSubstr("weights' digest"));
}

TEST_F(WatchTest, CtrlCEndsEveryOtherVerbWith130) {
  TerminalProgram waiting({"wait", "-H", daemon_.host()}, 80, 24);
  ASSERT_TRUE(daemon_.wait_until([](Canned& canned) {
    // Of the two that watch, one waits for what comes after the status it has seen.
    return std::count(canned.watched_after.begin(), canned.watched_after.end(), 9) == 1;
  }));
  waiting.type("\x03");
  EXPECT_EQ(waiting.finish().code, 130);
}

TEST_F(WatchTest, ARunThatFailsExitsWithSeven) {
  await_picture();
  daemon_.change_state(v1::RUN_STATE_FAILED, "loss is not finite");
  EXPECT_EQ(terminal_.finish().code, 7);
}

TEST_F(WatchTest, ARefusalIsSaidAfterTheTerminalIsBack) {
  await_picture();
  daemon_.set([](Canned& canned) {
    canned.refusal = {grpc::StatusCode::NOT_FOUND, "no run of that name"};
  });
  daemon_.stop();
  daemon_.start();
  const Finished finished = terminal_.finish();
  EXPECT_EQ(finished.code, 5);
  expect_restored(finished);
  EXPECT_THAT(finished.out.substr(finished.out.rfind("\x1b[?1049l")),
              HasSubstr("trainctl: no run of that name"));
}

}  // namespace
}  // namespace traind
