#include "client/run_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "tests/client/fake_daemon.h"
#include "tests/client/replies.h"

namespace traind {
namespace {

using test::Canned;
using test::FakeDaemon;

class RunFeedTest : public ::testing::Test {
 protected:
  Connection connection() { return Connection(parse_address(daemon_.host()), 0); }

  // Sequence numbers up to the end; what is no event is counted.
  struct Heard {
    std::vector<std::int64_t> sequences;
    int lost = 0;
    int regained = 0;
    v1::RunState end = v1::RUN_STATE_UNSPECIFIED;
  };
  static bool hear_one(RunFeed& feed, Heard& heard) {
    const FeedItem item = feed.next();
    if (const auto* event = std::get_if<v1::WatchRunResponse>(&item)) {
      heard.sequences.push_back(event->sequence());
    }
    if (std::holds_alternative<FeedLost>(item)) ++heard.lost;
    if (std::holds_alternative<FeedRegained>(item)) ++heard.regained;
    if (const auto* ended = std::get_if<FeedEnded>(&item)) {
      heard.end = ended->status.run().state();
      return false;
    }
    return !std::holds_alternative<FeedCancelled>(item);
  }

  FakeDaemon daemon_;
};

TEST_F(RunFeedTest, TellsTheWholeHistoryAndTheEnd) {
  daemon_.change_state(v1::RUN_STATE_COMPLETED, "all epochs");
  Connection to_daemon = connection();
  RunFeed feed(to_daemon, "id", 0);
  Heard heard;
  while (hear_one(feed, heard)) {
  }
  EXPECT_THAT(heard.sequences, ::testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  EXPECT_EQ(heard.end, v1::RUN_STATE_COMPLETED);
  EXPECT_EQ(heard.lost, 0);
}

TEST_F(RunFeedTest, BeginsAfterTheSequenceGiven) {
  daemon_.change_state(v1::RUN_STATE_STOPPED, "asked to");
  Connection to_daemon = connection();
  RunFeed feed(to_daemon, "id", 8);
  Heard heard;
  while (hear_one(feed, heard)) {
  }
  EXPECT_THAT(heard.sequences, ::testing::ElementsAre(9, 10));
}

TEST_F(RunFeedTest, NoEventIsMissedOrDoubledOverARestartOfTheDaemon) {
  Connection to_daemon = connection();
  RunFeed feed(to_daemon, "id", 0);
  Heard heard;
  while (heard.sequences.size() < 9) ASSERT_TRUE(hear_one(feed, heard));
  daemon_.stop();
  // What happens while nobody is connected is told afterwards.
  daemon_.tell(test::state_event(10, v1::RUN_STATE_RUNNING, "went on"));
  while (heard.lost == 0) ASSERT_TRUE(hear_one(feed, heard));
  daemon_.start();
  daemon_.change_state(v1::RUN_STATE_COMPLETED, "all epochs");
  while (hear_one(feed, heard)) {
  }
  EXPECT_THAT(heard.sequences, ::testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_EQ(heard.lost, 1);
  EXPECT_EQ(heard.regained, 1);
  EXPECT_TRUE(daemon_.wait_until([](Canned& canned) {
    return canned.watched_after == std::vector<std::int64_t>({0, 9});
  }));
}

TEST_F(RunFeedTest, ARunThatEndsWhileTheDaemonIsAwayIsToldToItsEnd) {
  Connection to_daemon = connection();
  RunFeed feed(to_daemon, "id", 0);
  Heard heard;
  while (heard.sequences.size() < 9) ASSERT_TRUE(hear_one(feed, heard));
  daemon_.stop();
  daemon_.change_state(v1::RUN_STATE_COMPLETED, "all epochs");
  daemon_.start();
  while (hear_one(feed, heard)) {
  }
  EXPECT_EQ(heard.sequences.back(), 10);
  EXPECT_EQ(heard.end, v1::RUN_STATE_COMPLETED);
}

TEST_F(RunFeedTest, EventsToldTwiceAreHeardOnce) {
  daemon_.set([](Canned& canned) {
    canned.events.push_back(canned.events[6]);
    canned.events.push_back(canned.events[7]);
  });
  daemon_.change_state(v1::RUN_STATE_COMPLETED, "all epochs");
  Connection to_daemon = connection();
  RunFeed feed(to_daemon, "id", 0);
  Heard heard;
  while (hear_one(feed, heard)) {
  }
  EXPECT_THAT(heard.sequences, ::testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
}

TEST_F(RunFeedTest, CancelWakesAWaitingReader) {
  Connection to_daemon = connection();
  RunFeed feed(to_daemon, "id", 9);
  auto reader = std::async(std::launch::async,
                           [&feed] { return std::holds_alternative<FeedCancelled>(feed.next()); });
  daemon_.wait_until([](Canned& canned) { return !canned.watched_after.empty(); });
  feed.cancel();
  ASSERT_EQ(reader.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_TRUE(reader.get());
}

TEST_F(RunFeedTest, CancelWakesAReaderThatWaitsForTheDaemon) {
  Connection to_daemon = connection();
  RunFeed feed(to_daemon, "id", 9);
  daemon_.stop();
  Heard heard;
  while (heard.lost == 0) ASSERT_TRUE(hear_one(feed, heard));
  auto reader = std::async(std::launch::async,
                           [&feed] { return std::holds_alternative<FeedCancelled>(feed.next()); });
  feed.cancel();
  ASSERT_EQ(reader.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_TRUE(reader.get());
}

TEST_F(RunFeedTest, TheDeadlineEndsIt) {
  Connection to_daemon = connection();
  RunFeed feed(to_daemon, "id", 9, RunFeed::Clock::now() + std::chrono::milliseconds(50));
  try {
    feed.next();
    FAIL() << "no deadline";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), Exit::kTimeout);
  }
}

TEST_F(RunFeedTest, ARefusalEndsItWithItsReason) {
  Connection to_daemon = connection();
  RunFeed feed(to_daemon, "id", 9);
  daemon_.set([](Canned& canned) {
    canned.refusal = {grpc::StatusCode::OUT_OF_RANGE, "9 is ahead of the run's history"};
  });
  try {
    feed.next();
    FAIL() << "not refused";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), Exit::kFailure);
    EXPECT_STREQ(failure.what(), "9 is ahead of the run's history");
  }
}

}  // namespace
}  // namespace traind
