// `trainctl watch` on a terminal. One thread reads the feed and puts what it gets into a mailbox;
// the main thread draws, reads keys and signals, and is the only one to touch the terminal.
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "client/figures.h"
#include "client/live_screen.h"
#include "client/render_status.h"
#include "client/run_feed.h"
#include "client/terminal_text.h"
#include "client/verbs.h"
#include "client/watch_view.h"

namespace traind {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kBetweenFrames{100};
constexpr int kTickMilliseconds = 1000;

// From the feed's thread to the screen's. Safe for both; put() does not wait.
class Mailbox {
 public:
  Mailbox() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (wake_ < 0) {
      throw Failure(Exit::kFailure, std::string("cannot make an eventfd: ") + std::strerror(errno));
    }
  }
  ~Mailbox() { close(wake_); }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  void put(FeedItem item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    eventfd_write(wake_, 1);
  }
  void put_error(std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    error_ = std::move(error);
    eventfd_write(wake_, 1);
  }
  // Everything there is, leaving nothing. Throws the feed's error once its last item is taken.
  std::deque<FeedItem> take() {
    const std::lock_guard lock(mutex_);
    eventfd_t ignored = 0;
    eventfd_read(wake_, &ignored);
    if (items_.empty() && error_) std::rethrow_exception(error_);
    if (error_) eventfd_write(wake_, 1);
    return std::exchange(items_, {});
  }
  int fd() const noexcept { return wake_; }

 private:
  const int wake_;
  std::mutex mutex_;
  std::deque<FeedItem> items_;
  std::exception_ptr error_;
};

void read_feed(RunFeed& feed, Mailbox& mailbox) noexcept {
  try {
    for (;;) {
      FeedItem item = feed.next();
      const bool last =
          std::holds_alternative<FeedEnded>(item) || std::holds_alternative<FeedCancelled>(item);
      mailbox.put(std::move(item));
      if (last) return;
    }
  } catch (...) {
    mailbox.put_error(std::current_exception());
  }
}

// Runs read_feed on a thread of its own for as long as it lives.
class FeedThread {
 public:
  FeedThread(Connection& connection, const std::string& run, Mailbox& mailbox)
      : feed_(connection, run, 0), thread_([this, &mailbox] { read_feed(feed_, mailbox); }) {}
  ~FeedThread() {
    feed_.cancel();
    thread_.join();
  }
  FeedThread(const FeedThread&) = delete;
  FeedThread& operator=(const FeedThread&) = delete;

 private:
  RunFeed feed_;
  std::thread thread_;
};

struct Outcome {
  bool over = false;
  Exit exit = Exit::kOk;
};

// Tells the view; over when the run has ended.
Outcome apply(WatchView& view, const FeedItem& item) {
  if (const auto* event = std::get_if<v1::WatchRunResponse>(&item)) {
    view.apply(*event);
  } else if (const auto* lost = std::get_if<FeedLost>(&item)) {
    view.set_lost(lost->sentence);
  } else if (const auto* regained = std::get_if<FeedRegained>(&item)) {
    view.set_status(regained->status);
  } else if (const auto* ended = std::get_if<FeedEnded>(&item)) {
    view.set_status(ended->status);
    const bool failed = ended->status.run().state() == v1::RUN_STATE_FAILED;
    return {true, failed ? Exit::kRunFailed : Exit::kOk};
  }
  return {};
}

// What a key or signal asks for.
Outcome react(LiveScreen& screen, ScreenEvent event) {
  switch (event) {
    case ScreenEvent::kKey:
      return {screen.key() == 'q' || screen.key() == 'Q' || screen.key() == 4, Exit::kOk};
    case ScreenEvent::kStopSignal:
      return {true, static_cast<Exit>(128 + screen.signal())};
    case ScreenEvent::kReaderGone:
      throw ReaderGone();
    case ScreenEvent::kSuspend:
      screen.suspend();
      return {};
    case ScreenEvent::kResized:
    case ScreenEvent::kNone:
      return {};
  }
  return {};
}

Outcome show_until_over(LiveScreen& screen, WatchView& view, Mailbox& mailbox, const Look& look) {
  // The history comes in one go; the first picture has it already.
  Clock::time_point next_frame = Clock::now() + kBetweenFrames;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(next_frame - Clock::now());
    if (left.count() <= 0) {
      screen.show(view.frame(screen.size(), look));
      next_frame = Clock::now() + std::chrono::milliseconds(kTickMilliseconds);
    }
    const int wait = left.count() <= 0 ? kTickMilliseconds : static_cast<int>(left.count()) + 1;
    const ScreenEvent event = screen.next(mailbox.fd(), wait);
    Outcome outcome = react(screen, event);
    if (event != ScreenEvent::kNone) next_frame = Clock::now();
    const std::deque<FeedItem> items = mailbox.take();
    for (const FeedItem& item : items) {
      if (!outcome.over) outcome = apply(view, item);
    }
    if (outcome.over) return outcome;
    // Many events make one picture.
    if (!items.empty()) next_frame = std::min(next_frame, Clock::now() + kBetweenFrames);
  }
}

}  // namespace

Exit watch_live(Session& session, const v1::GetStatusResponse& status) {
  WatchView view(status, session.connection.address().target);
  Mailbox mailbox;
  Outcome outcome;
  {
    LiveScreen screen(session.out);
    const FeedThread feed(session.connection, status.run().id(), mailbox);
    outcome = show_until_over(screen, view, mailbox, session.look);
  }
  // What was seen last stays on the terminal.
  session.out.write(render_status(view.status(), session.look));
  return outcome.exit;
}

}  // namespace traind
