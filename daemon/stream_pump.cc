#include "daemon/stream_pump.h"

#include <algorithm>

namespace traind {
namespace {

// A deadline that wait_until can take without overflow.
constexpr std::chrono::hours kLongest{1};

}  // namespace

StreamPump::StreamPump(std::size_t most_streams, std::chrono::microseconds pause_for_each)
    : most_streams_(most_streams), pause_for_each_(pause_for_each), thread_([this] { loop(); }) {}

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
    streams_.emplace(id, Stream{std::move(advance), Clock::time_point::max()});
  }
  ready(id);
  return id;
}

void StreamPump::remove(std::int64_t id) {
  const std::lock_guard lock(streams_mutex_);
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  dues_.erase({found->second.due, id});
  streams_.erase(found);
}

void StreamPump::wake() {
  {
    const std::lock_guard lock(wake_mutex_);
    woken_ = true;
  }
  wake_.notify_one();
}

void StreamPump::ready(std::int64_t id) {
  {
    const std::lock_guard lock(wake_mutex_);
    ready_.push_back(id);
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
  Clock::time_point due = Clock::now() + kLongest;
  Clock::time_point round = Clock::now();  // not before
  for (Work work; next(work, due, round); work = {}) {
    const Clock::time_point now = Clock::now();
    due = advance(work);
    if (!work.round) continue;
    const std::lock_guard lock(streams_mutex_);
    round = now + pause_for_each_ * streams_.size();
  }
}

bool StreamPump::next(Work& work, Clock::time_point due, Clock::time_point round) {
  std::unique_lock lock(wake_mutex_);
  for (;;) {
    const Clock::time_point now = Clock::now();
    if (ended_) return false;
    work.round = woken_ && (closing_ || now >= round);
    if (work.round || !ready_.empty() || now >= due) break;
    wake_.wait_until(lock, woken_ ? std::min(due, round) : due);
  }
  if (work.round) woken_ = false;
  work.closing = closing_;
  work.ready.swap(ready_);
  return true;
}

StreamPump::Clock::time_point StreamPump::advance(const Work& work) {
  const std::lock_guard lock(streams_mutex_);
  const Clock::time_point now = Clock::now();
  if (work.round) {
    for (auto& [id, stream] : streams_) advance_one(id, stream, now, work.closing);
  } else {
    for (const std::int64_t id : work.ready) {
      const auto found = streams_.find(id);  // it may have gone
      if (found != streams_.end()) advance_one(id, found->second, now, work.closing);
    }
  }
  while (!dues_.empty() && dues_.begin()->first <= now) {
    const std::int64_t id = dues_.begin()->second;
    advance_one(id, streams_.at(id), now, work.closing);
  }
  return dues_.empty() ? now + kLongest : dues_.begin()->first;
}

void StreamPump::advance_one(std::int64_t id, Stream& stream, Clock::time_point now, bool closing) {
  dues_.erase({stream.due, id});
  stream.due = stream.advance(now, closing);
  if (stream.due != Clock::time_point::max()) dues_.emplace(stream.due, id);
}

}  // namespace traind
