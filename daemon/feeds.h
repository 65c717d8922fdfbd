// What a stream says next: the history and progress of a run, and its log.
//
// Each belongs to one stream and is used by the pump's thread alone. next() waits for a read of
// the database or file and for nothing else. Throws what Store throws.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "daemon/event_pages.h"
#include "daemon/status_board.h"
#include "traind/v1/training.pb.h"

namespace traind {

enum class FeedState {
  kMessage,  // `out` is filled
  kNothing,  // ask again when something happened, or at `again`
  kEnd,      // nothing will ever come
};

struct FeedStep {
  FeedState state = FeedState::kNothing;
  std::chrono::steady_clock::time_point again = std::chrono::steady_clock::time_point::max();
};

// Stored events after a sequence number, then new ones as they come; between them the newest
// progress, never an older one; a heartbeat after 15 s of silence. Ends with the run.
class WatchFeed {
 public:
  using Clock = std::chrono::steady_clock;
  WatchFeed(EventPages& pages, const StatusBoard& board, std::int64_t run, std::int64_t after)
      : pages_(pages), board_(board), run_(run), sequence_(after), last_said_(Clock::now()) {}

  FeedStep next(v1::WatchRunResponse& out, Clock::time_point now);

 private:
  bool stored(v1::WatchRunResponse& out);

  EventPages& pages_;
  const StatusBoard& board_;
  const std::int64_t run_;
  std::int64_t sequence_;                  // of the last event said
  std::shared_ptr<const EventPage> page_;  // begins after an earlier one
  std::size_t said_ = 0;                   // events of page_
  std::int64_t progress_serial_ = 0;
  Clock::time_point last_said_;
};

// worker.log from an offset on, over restarts of the worker, until the run ends.
class LogFeed {
 public:
  using Clock = std::chrono::steady_clock;
  LogFeed(EventPages& pages, std::int64_t run, std::string path, std::int64_t offset, bool follow)
      : pages_(pages), run_(run), path_(std::move(path)), offset_(offset), follow_(follow) {}

  FeedStep next(v1::StreamLogsResponse& out, Clock::time_point now);

 private:
  EventPages& pages_;
  const std::int64_t run_;
  const std::string path_;
  std::int64_t offset_;
  const bool follow_;
};

}  // namespace traind
