// A run's events as one unbroken row, whatever happens to the connection on the way.
//
// One thread calls next(), which waits; any thread may call cancel(). After an interruption the
// feed asks again from the last sequence number it has seen, so that no event is missed and none
// comes twice.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>

#include "client/connection.h"

namespace traind {

// The connection is gone; the feed tries again. Once for each interruption.
struct FeedLost {
  std::string sentence;
};
// The daemon answers again.
struct FeedRegained {
  v1::GetStatusResponse status;
};
// The run has ended; nothing follows.
struct FeedEnded {
  v1::GetStatusResponse status;
};
// cancel() was called; nothing follows.
struct FeedCancelled {};

using FeedItem =
    std::variant<v1::WatchRunResponse, FeedLost, FeedRegained, FeedEnded, FeedCancelled>;

class RunFeed {
 public:
  using Clock = std::chrono::steady_clock;  // a clock that jumps ends no wait and prolongs none
  using Deadline = std::optional<Clock::time_point>;

  // `run_id` is an id, not a name or "": those may come to mean another run. `connection` outlives
  // the feed. Opens nothing yet.
  RunFeed(Connection& connection, std::string run_id, std::int64_t after_sequence,
          Deadline deadline = std::nullopt);

  // Waits for the next thing to tell. Throws Failure: kTimeout at the deadline, and whatever the
  // daemon refuses, e.g. a sequence number that is ahead of its history.
  FeedItem next();
  void cancel() noexcept;

 private:
  std::optional<FeedItem> read();
  FeedItem finish();
  std::optional<FeedItem> reconnect();
  bool open();
  void close() noexcept;
  void pause();
  enum class Fetch { kAtOnce, kWhenThere };  // the latter waits for the daemon, a while
  grpc::Status fetch(v1::GetStatusResponse& status, Fetch fetch);
  void check_deadline() const;

  // Constant after construction.
  Connection& connection_;
  const std::string run_id_;
  const Deadline deadline_;

  // The reading thread's.
  std::int64_t after_sequence_;
  bool lost_ = false;
  std::chrono::milliseconds pause_;
  std::unique_ptr<grpc::ClientReader<v1::WatchRunResponse>> stream_;

  // Guarded by mutex_.
  std::mutex mutex_;
  std::condition_variable cancelled_changed_;
  bool cancelled_ = false;
  std::unique_ptr<grpc::ClientContext> context_;
};

}  // namespace traind
