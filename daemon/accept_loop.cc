#include "daemon/accept_loop.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "model/base/error.h"

namespace traind {
namespace {

// 800 callers a second at a door. If taking one in and serving its first request costs 0.2 ms,
// which is reckoned and not measured, that is a sixth of a core.
constexpr int kAtOnce = 16;
constexpr int kTurnedAwayAtOnce = 128;  // that is done quickly
constexpr std::chrono::milliseconds kMoment{20};
// A flood takes some 200 MB a second.
constexpr std::chrono::milliseconds kBetweenLooks{50};
// Until what was begun for those who were hung up on has been cleared away.
constexpr std::chrono::seconds kRecovery{2};
constexpr std::chrono::minutes kBetweenWarnings{1};

constexpr int kOthers = 256;
constexpr int kMostLocal = 2048;
constexpr int kMostTcp = 1024;

bool caller_is_to_blame(int error) {
  return error == EINTR || error == ECONNABORTED || error == EPROTO || error == EPERM;
}

}  // namespace

AcceptLoop::AcceptLoop(std::vector<Door> doors, std::size_t more_memory)
    : doors_(std::move(doors)), memory_(more_memory), end_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!end_.open()) throw system_error("eventfd", errno);
  thread_ = std::thread([this] { loop(); });
}

AcceptLoop::~AcceptLoop() {
  eventfd_write(end_.get(), 1);
  thread_.join();
}

void AcceptLoop::loop() {
  std::vector<State> states(doors_.size());
  Clock::time_point looked{};
  for (;;) {
    std::vector<pollfd> watched = {{end_.get(), POLLIN, 0}};
    const Clock::time_point now = Clock::now();
    auto timeout = kBetweenLooks;
    if (now - looked >= kBetweenLooks) {
      looked = now;
      if (memory_.short_of_memory(now)) hang_up(states);
    }
    for (std::size_t i = 0; i < doors_.size(); ++i) {
      const bool rests = states[i].rests_until > now;
      watched.push_back({rests ? -1 : doors_[i].listener, POLLIN, 0});
      if (rests) timeout = kMoment;
    }
    if (poll(watched.data(), watched.size(), static_cast<int>(timeout.count())) < 0)
      continue;  // a signal
    if (watched[0].revents != 0) return;
    for (std::size_t i = 0; i < doors_.size(); ++i) {
      if (watched[i + 1].revents == 0) continue;
      const Clock::duration rest = let_in(doors_[i], states[i]);
      states[i].rests_until = Clock::now() + rest;
    }
  }
}

AcceptLoop::Clock::duration AcceptLoop::let_in(const Door& door, State& state) {
  for (int taken = 0, turned_away = 0; taken < kAtOnce && turned_away < kTurnedAwayAtOnce;) {
    Descriptor caller(accept4(door.listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!caller.open()) {
      const int error = errno;
      if (caller_is_to_blame(error)) continue;
      if (error == EAGAIN) return {};
      // No descriptor or memory is free. The caller waits where it is, and the socket stays
      // readable: without a rest we would spin.
      warn(state, door.name + ": cannot take callers in: " + std::strerror(error));
      return kMoment;
    }
    if (let_in_one(door, std::move(caller))) {
      ++taken;
      continue;
    }
    ++turned_away;
    warn(state, door.name + ": all " + std::to_string(door.numbers.size) +
                    " connections are in use; callers are turned away");
  }
  return kMoment;
}

bool AcceptLoop::let_in_one(const Door& door, Descriptor caller) {
  Descriptor numbered(fcntl(caller.get(), F_DUPFD_CLOEXEC, door.numbers.first));
  if (!numbered.open() || numbered.get() >= door.numbers.first + door.numbers.size) return false;
  caller.close();
  door.take_in(numbered.release());
  return true;
}

void AcceptLoop::hang_up(std::vector<State>& states) const {
  for (std::size_t i = doors_.size(); i-- > 0;) {
    const Door& door = doors_[i];
    int callers = 0;
    // gRPC sees a caller that has gone. A number that is free meanwhile, or another caller's, does
    // no harm: all of the range are callers at this door.
    for (int number = door.numbers.first; number < door.numbers.first + door.numbers.size;
         ++number) {
      if (shutdown(number, SHUT_RDWR) == 0) ++callers;
    }
    const Clock::time_point now = Clock::now();
    if (callers == 0 && states[i].rests_until <= now) continue;
    if (callers == 0) return;
    states[i].rests_until = now + kRecovery;
    warn(states[i],
         door.name + ": memory is short; hung up on " + std::to_string(callers) + " callers");
    return;
  }
}

void AcceptLoop::warn(State& state, const std::string& text) {
  const Clock::time_point now = Clock::now();
  if (state.warned && now - *state.warned < kBetweenWarnings) return;
  state.warned = now;
  spdlog::warn("{}", text);
}

DescriptorPlan plan_descriptors(int limit) {
  // Of few, half is kept for what must not fail.
  const int others = std::min(kOthers, limit / 2);
  const int rest = std::min(limit - others, kMostLocal + kMostTcp);
  const int local = static_cast<int>(std::int64_t{rest} * kMostLocal / (kMostLocal + kMostTcp));
  return {{others, local}, {others + local, rest - local}};
}

int raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) throw system_error("getrlimit", errno);
  const rlim_t wanted = kOthers + kMostLocal + kMostTcp;
  if (limit.rlim_cur < wanted && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = std::min(wanted, limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) throw system_error("setrlimit", errno);
  }
  return static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1 << 20));
}

}  // namespace traind
