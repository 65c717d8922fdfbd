#include "daemon/feeds.h"

#include "daemon/messages.h"
#include "daemon/run_rows.h"
#include "daemon/worker_log.h"

namespace traind {
namespace {

constexpr int kRowsAtOnce = 100;
constexpr std::chrono::seconds kSilence{15};
constexpr std::chrono::milliseconds kLogLook{200};
constexpr std::size_t kLogPiece = 65536;

bool finished(Database& db, std::int64_t run) {
  const auto row = run_by_number(db, run);
  return !row || is_finished(row->state);
}

}  // namespace

FeedStep WatchFeed::next(v1::WatchRunResponse& out, Clock::time_point now) {
  out.Clear();
  if (stored(out)) {
    last_said_ = now;
    return {FeedState::kMessage};
  }
  if (run_finished_) return {FeedState::kEnd};
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
  if (rows_.empty()) {
    store_.read([&](Database& db) {
      const auto rows = events_after(db, run_, sequence_, kRowsAtOnce);
      rows_.assign(rows.begin(), rows.end());
      run_finished_ = rows_.empty() && finished(db, run_);
    });
  }
  if (rows_.empty()) return false;
  const EventRow& row = rows_.front();
  if (!out.ParseFromString(row.payload)) {
    throw Error(ErrorKind::kCorrupt,
                store_.path() + ": event " + std::to_string(row.sequence) + " cannot be read");
  }
  out.set_sequence(row.sequence);
  out.set_time_micros(row.time_micros);
  sequence_ = row.sequence;
  rows_.pop_front();
  return true;
}

FeedStep LogFeed::next(v1::StreamLogsResponse& out, Clock::time_point now) {
  // Asked before the file is read: what a finished run wrote is all there.
  const bool last = !follow_ || store_.read([&](Database& db) { return finished(db, run_); });
  std::string text = whole_lines_at(path_, offset_, kLogPiece, last);
  if (text.empty())
    return last ? FeedStep{FeedState::kEnd} : FeedStep{FeedState::kNothing, now + kLogLook};
  offset_ += static_cast<std::int64_t>(text.size());
  out.set_text(std::move(text));
  return {FeedState::kMessage};
}

}  // namespace traind
