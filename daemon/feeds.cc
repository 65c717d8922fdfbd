#include "daemon/feeds.h"

#include "daemon/messages.h"
#include "daemon/worker_log.h"

namespace traind {
namespace {

constexpr std::chrono::seconds kSilence{15};
constexpr std::chrono::milliseconds kLogLook{200};
constexpr std::size_t kLogPiece = 65536;

}  // namespace

FeedStep WatchFeed::next(v1::WatchRunResponse& out, Clock::time_point now) {
  out.Clear();
  if (stored(out)) {
    last_said_ = now;
    return {FeedState::kMessage};
  }
  if (page_->run_finished) return {FeedState::kEnd};
  if (const auto entry = board_.get(run_); entry && entry->serial > progress_serial_) {
    progress_serial_ = entry->serial;
    out.set_time_micros(entry->time_micros);
    *out.mutable_progress() = to_message(entry->progress);
    last_said_ = now;
    return {FeedState::kMessage};
  }
  if (now - last_said_ >= kSilence) {
    out.mutable_heartbeat();
    last_said_ = now;
    return {FeedState::kMessage};
  }
  return {FeedState::kNothing, last_said_ + kSilence};
}

bool WatchFeed::stored(v1::WatchRunResponse& out) {
  if (!page_ || said_ == page_->events.size()) {
    page_ = pages_.after(run_, sequence_);
    said_ = 0;
  }
  if (page_->events.empty()) return false;
  out = page_->events[said_++];
  sequence_ = out.sequence();
  return true;
}

FeedStep LogFeed::next(v1::StreamLogsResponse& out, Clock::time_point now) {
  // Asked before the file is read: what a finished run wrote is all there.
  const bool last = !follow_ || pages_.run_finished(run_);
  std::string text = whole_lines_at(path_, offset_, kLogPiece, last);
  if (text.empty())
    return last ? FeedStep{FeedState::kEnd} : FeedStep{FeedState::kNothing, now + kLogLook};
  offset_ += static_cast<std::int64_t>(text.size());
  out.set_text(std::move(text));
  return {FeedState::kMessage};
}

}  // namespace traind
