// Tells systemd the truth, over $NOTIFY_SOCKET; without systemd nothing happens.
//
// Safe on any thread; does not wait. WATCHDOG=1 comes from the supervisor's turns alone, and only
// while its active run shows life or is being dealt with: a timer of its own would vouch for
// nothing. A hung worker is the daemon's own business (stall_timeout: killed and started again),
// so systemd is to step in only where the daemon fails to do that.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "daemon/supervisor.h"

namespace traind {

class ServiceNotifier {
 public:
  using Clock = std::chrono::steady_clock;

  ServiceNotifier();

  void ready();
  // After each turn of the supervisor; says at most once a second what is new.
  void turned(const Pulse& pulse);

 private:
  const std::chrono::microseconds watchdog_;  // 0 = systemd does not watch

  std::mutex mutex_;
  std::string said_;                 // guarded by mutex_
  Clock::time_point said_at_{};      // guarded by mutex_
  Clock::time_point alive_at_{};     // guarded by mutex_
  Clock::time_point extended_at_{};  // guarded by mutex_
  bool stopping_said_ = false;       // guarded by mutex_
};

}  // namespace traind
