// One thread that moves all streams on: each has at most one message under way, so a reader that
// stops reading costs one message and holds up nobody.
//
// News for all streams are passed on in rounds, and the more streams there are, the rarer the
// rounds: a thousand watchers of a run cost its training no more than a few do. Any thread may
// call everything. wake() and ready() never wait; remove() waits while a stream is being moved on,
// which does not wait for its reader.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace traind {

class StreamPump {
 public:
  using Clock = std::chrono::steady_clock;
  // Does what can be done without waiting; returns when to be called even if nothing wakes us.
  using Advance = std::function<Clock::time_point(Clock::time_point now, bool closing)>;

  // A round comes `pause_for_each` stream after the one before, or later.
  StreamPump(std::size_t most_streams, std::chrono::microseconds pause_for_each);
  ~StreamPump();
  StreamPump(const StreamPump&) = delete;
  StreamPump& operator=(const StreamPump&) = delete;

  // 0 when there are too many streams already.
  std::int64_t add(Advance advance);
  void remove(std::int64_t id);
  // Something happened that any stream may want to tell: in the next round.
  void wake();
  // That stream can go on: at once.
  void ready(std::int64_t id);
  // From now on streams are told to end.
  void close();

 private:
  struct Stream {
    Advance advance;
    Clock::time_point due;  // as in dues_; max() = not there
  };
  struct Work {
    bool round = false;
    bool closing = false;
    std::vector<std::int64_t> ready;
  };

  void loop();
  // Waits for something to do. False: the pump ends.
  bool next(Work& work, Clock::time_point due, Clock::time_point round);
  // Returns when the next stream is due.
  Clock::time_point advance(const Work& work);
  void advance_one(std::int64_t id, Stream& stream, Clock::time_point now, bool closing);

  const std::size_t most_streams_;
  const std::chrono::microseconds pause_for_each_;
  std::mutex streams_mutex_;
  std::map<std::int64_t, Stream> streams_;                     // guarded by streams_mutex_
  std::set<std::pair<Clock::time_point, std::int64_t>> dues_;  // guarded by streams_mutex_
  std::int64_t last_id_ = 0;                                   // guarded by streams_mutex_

  std::mutex wake_mutex_;
  std::condition_variable wake_;
  std::vector<std::int64_t> ready_;  // guarded by wake_mutex_
  bool woken_ = false;               // guarded by wake_mutex_
  bool closing_ = false;             // guarded by wake_mutex_
  bool ended_ = false;               // guarded by wake_mutex_

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace traind
