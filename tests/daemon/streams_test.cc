// The pump's rounds, and reads of a run's history that watchers share.
#include <gtest/gtest.h>

#include <atomic>

#include "daemon/event_pages.h"
#include "daemon/event_rows.h"
#include "daemon/feeds.h"
#include "daemon/run_rows.h"
#include "daemon/stream_pump.h"
#include "tests/daemon/scratch.h"

namespace traind {
namespace {

using Clock = StreamPump::Clock;
constexpr std::chrono::hours kForever{100};

// Counts how often it was moved on, and is due when the test says.
struct Counted {
  StreamPump::Advance advance() {
    return [this](Clock::time_point, bool closing) {
      if (closing) closed = true;
      ++times;
      return std::exchange(due, Clock::time_point::max());
    };
  }
  std::atomic<int> times = 0;
  std::atomic<bool> closed = false;
  Clock::time_point due = Clock::time_point::max();  // before it is added
};

TEST(StreamPump, NewsWaitForTheirRoundAndReadinessForNothing) {
  StreamPump pump(10, kForever);
  Counted stream;
  const std::int64_t id = pump.add(stream.advance());
  ASSERT_TRUE(eventually([&] { return stream.times == 1; }));
  pump.wake();
  ASSERT_TRUE(eventually([&] { return stream.times == 2; }));
  for (int i = 3; i < 50; ++i) {
    pump.wake();
    pump.ready(id);
    ASSERT_TRUE(eventually([&] { return stream.times == i; }));
  }
  pump.remove(id);
  EXPECT_EQ(stream.times, 49);
}

TEST(StreamPump, ADeadlineNeedsNoNews) {
  StreamPump pump(10, kForever);
  Counted stream;
  stream.due = Clock::now() + std::chrono::milliseconds(20);
  const std::int64_t id = pump.add(stream.advance());
  EXPECT_TRUE(eventually([&] { return stream.times == 2; }));
  pump.remove(id);
}

TEST(StreamPump, TellsTheEndWithoutWaitingForARound) {
  StreamPump pump(10, kForever);
  Counted stream;
  const std::int64_t id = pump.add(stream.advance());
  ASSERT_TRUE(eventually([&] { return stream.times == 1; }));
  pump.wake();
  ASSERT_TRUE(eventually([&] { return stream.times == 2; }));
  pump.close();
  EXPECT_TRUE(eventually([&] { return stream.closed.load(); }));
  pump.remove(id);
}

TEST(StreamPump, TakesNoMoreThanItsBound) {
  StreamPump pump(2, std::chrono::microseconds(0));
  Counted stream;
  const std::int64_t first = pump.add(stream.advance());
  const std::int64_t second = pump.add(stream.advance());
  EXPECT_EQ(pump.add(stream.advance()), 0);
  pump.remove(first);
  const std::int64_t third = pump.add(stream.advance());
  EXPECT_NE(third, 0);
  pump.remove(second);
  pump.remove(third);
}

class WatchersTest : public ::testing::Test {
 protected:
  WatchersTest() {
    RunRow row;
    row.id = "id-a";
    row.name = "a";
    row.reason = "trains";
    row.epochs = 3;
    row.state = RunState::kRunning;
    run_ = store_.write([&](Database& db) {
      insert_run(db, row);
      return row.run;
    });
  }
  void tell(int events) {
    store_.write([&](Database& db) {
      for (int i = 0; i < events; ++i) {
        v1::WatchRunResponse event;
        event.mutable_notice()->set_text(std::to_string(++told_));
        put_event(db, run_, 1, "notice", "", "", event.SerializeAsString());
      }
    });
  }
  // What the watcher says until it has nothing more.
  std::vector<std::string> heard(WatchFeed& watcher) {
    std::vector<std::string> texts;
    v1::WatchRunResponse out;
    while (watcher.next(out, Clock::now()).state == FeedState::kMessage) {
      texts.push_back(out.notice().text());
    }
    return texts;
  }
  std::vector<std::string> numbers(int first, int last) {
    std::vector<std::string> texts;
    for (int i = first; i <= last; ++i) texts.push_back(std::to_string(i));
    return texts;
  }

  const Scratch scratch_;
  Store store_{scratch_ / "traind.db"};
  StatusBoard board_;
  EventPages pages_{store_};
  std::int64_t run_ = 0;
  int told_ = 0;
};

TEST_F(WatchersTest, ThoseAtTheSamePlaceShareOneRead) {
  tell(3);
  const auto page = pages_.after(run_, 0);
  ASSERT_EQ(page->events.size(), 3u);
  EXPECT_EQ(pages_.after(run_, 0), page);
  const std::int64_t last = page->events.back().sequence();
  const auto nothing = pages_.after(run_, last);
  EXPECT_TRUE(nothing->events.empty());
  EXPECT_EQ(pages_.after(run_, last), nothing);
  tell(1);
  const auto news = pages_.after(run_, last);
  ASSERT_EQ(news->events.size(), 1u);
  EXPECT_EQ(pages_.after(run_, last), news);
  EXPECT_EQ(pages_.after(run_, 0), page);
}

TEST_F(WatchersTest, EachHearsEverythingOnceInOrderWhereverItBegan) {
  tell(100);
  WatchFeed early(pages_, board_, run_, 0);
  EXPECT_EQ(heard(early), numbers(1, 100));
  tell(1);
  WatchFeed late(pages_, board_, run_, 50);
  EXPECT_EQ(heard(late), numbers(51, 101));
  EXPECT_EQ(heard(early), numbers(101, 101));
  tell(70);
  EXPECT_EQ(heard(early), numbers(102, 171));
  EXPECT_EQ(heard(late), numbers(102, 171));
  EXPECT_TRUE(heard(late).empty());
}

TEST_F(WatchersTest, TheEndIsSeenByThoseWhoWaitForIt) {
  tell(1);
  EXPECT_FALSE(pages_.run_finished(run_));
  WatchFeed watcher(pages_, board_, run_, 0);
  heard(watcher);
  store_.write([&](Database& db) { set_run_state(db, run_, RunState::kStopped, "told to", 2); });
  EXPECT_TRUE(pages_.run_finished(run_));
  v1::WatchRunResponse out;
  EXPECT_EQ(watcher.next(out, Clock::now()).state, FeedState::kEnd);
}

}  // namespace
}  // namespace traind
