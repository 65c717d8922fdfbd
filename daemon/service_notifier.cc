#include "daemon/service_notifier.h"

#include <unistd.h>

#include "model/base/plain_text.h"

#if TRAIND_HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

namespace traind {
namespace {

constexpr std::chrono::seconds kPause{1};
constexpr std::size_t kLongestStatus = 500;
constexpr const char* kExtension = "EXTEND_TIMEOUT_USEC=10000000";

void tell(const std::string& message) {
#if TRAIND_HAVE_SYSTEMD
  sd_notify(0, message.c_str());
#else
  (void)message;
#endif
}

std::chrono::microseconds watchdog_interval() {
#if TRAIND_HAVE_SYSTEMD
  std::uint64_t micros = 0;
  if (sd_watchdog_enabled(0, &micros) > 0) return std::chrono::microseconds(micros);
#endif
  return std::chrono::microseconds(0);
}

}  // namespace

ServiceNotifier::ServiceNotifier() : watchdog_(watchdog_interval()) {}

void ServiceNotifier::ready() { tell("READY=1\nMAINPID=" + std::to_string(getpid())); }

void ServiceNotifier::turned(const Pulse& pulse) {
  const Clock::time_point now = Clock::now();
  const std::lock_guard lock(mutex_);
  if (pulse.stopping && !stopping_said_) {
    tell("STOPPING=1");
    stopping_said_ = true;
  }
  if (pulse.status != said_ && now - said_at_ >= kPause) {
    // A line end in it would begin a word of its own to systemd.
    tell("STATUS=" + one_line(pulse.status, kLongestStatus));
    said_ = pulse.status;
    said_at_ = now;
  }
  // The worker is saving: systemd's own limit starts anew with each of these.
  if (pulse.stopping && now - extended_at_ >= kPause) {
    tell(kExtension);
    extended_at_ = now;
  }
  if (pulse.healthy && watchdog_.count() > 0 && now - alive_at_ >= watchdog_ / 4) {
    tell("WATCHDOG=1");
    alive_at_ = now;
  }
}

}  // namespace traind
