#include "daemon/stream_pump.h"

#include <algorithm>
#include <utility>

namespace traind {
namespace {

// A deadline that wait_until can take without overflow.
constexpr std::chrono::hours kLongest{1};

}  // namespace

StreamPump::StreamPump(std::size_t most_streams)
    : most_streams_(most_streams), thread_([this] { loop(); }) {}

StreamPump::~StreamPump() {
  {
    const std::lock_guard lock(wake_mutex_);
    ended_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

std::int64_t StreamPump::add(Advance advance) {
  std::int64_t id = 0;
  {
    const std::lock_guard lock(streams_mutex_);
    if (streams_.size() >= most_streams_) return 0;
    id = ++last_id_;
    streams_.emplace(id, Stream{std::move(advance), Clock::now()});
  }
  wake();
  return id;
}

void StreamPump::remove(std::int64_t id) {
  const std::lock_guard lock(streams_mutex_);
  streams_.erase(id);
}

void StreamPump::wake() {
  {
    const std::lock_guard lock(wake_mutex_);
    woken_ = true;
  }
  wake_.notify_one();
}

void StreamPump::close() {
  {
    const std::lock_guard lock(wake_mutex_);
    closing_ = woken_ = true;
  }
  wake_.notify_one();
}

void StreamPump::loop() {
  Clock::time_point due = Clock::now();
  for (;;) {
    bool woken = false;
    bool closing = false;
    {
      std::unique_lock lock(wake_mutex_);
      wake_.wait_until(lock, due, [this] { return woken_ || ended_; });
      if (ended_) return;
      woken = std::exchange(woken_, false);
      closing = closing_;
    }
    due = advance_all(woken, closing);
  }
}

StreamPump::Clock::time_point StreamPump::advance_all(bool woken, bool closing) {
  const std::lock_guard lock(streams_mutex_);
  const Clock::time_point now = Clock::now();
  Clock::time_point next = now + kLongest;
  for (auto& [id, stream] : streams_) {
    if (woken || stream.due <= now) stream.due = stream.advance(now, closing);
    next = std::min(next, stream.due);
  }
  return next;
}

}  // namespace traind
