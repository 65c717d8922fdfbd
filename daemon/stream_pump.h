// One thread that moves all streams on: each has at most one message under way, so a reader that
// stops reading costs one message and holds up nobody.
//
// Any thread may call everything. wake() never waits; remove() waits while that stream is being
// moved on, which does not wait for its reader.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace traind {

class StreamPump {
 public:
  using Clock = std::chrono::steady_clock;
  // Does what can be done without waiting; returns when to be called even if nothing wakes us.
  using Advance = std::function<Clock::time_point(Clock::time_point now, bool closing)>;

  explicit StreamPump(std::size_t most_streams);
  ~StreamPump();
  StreamPump(const StreamPump&) = delete;
  StreamPump& operator=(const StreamPump&) = delete;

  // 0 when there are too many streams already.
  std::int64_t add(Advance advance);
  void remove(std::int64_t id);
  // Something happened that streams may want to tell.
  void wake();
  // From now on streams are told to end.
  void close();

 private:
  struct Stream {
    Advance advance;
    Clock::time_point due;
  };

  void loop();
  // Returns when the next stream is due.
  Clock::time_point advance_all(bool woken, bool closing);

  const std::size_t most_streams_;
  std::mutex streams_mutex_;
  std::map<std::int64_t, Stream> streams_;  // guarded by streams_mutex_
  std::int64_t last_id_ = 0;                // guarded by streams_mutex_

  std::mutex wake_mutex_;
  std::condition_variable wake_;
  bool woken_ = false;    // guarded by wake_mutex_
  bool closing_ = false;  // guarded by wake_mutex_
  bool ended_ = false;    // guarded by wake_mutex_

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace traind
