// Takes in the callers at listening sockets, within a bound for each socket, and hands them on.
//
// In place of gRPC's own listener, which in 1.51 ends for good when accept() finds no descriptor
// free (CVE-2023-4785) and knows no bound. One thread; it waits for callers. A door with no room or
// a crowd before it rests for moments, which costs those at the other doors nothing. Made and ended
// by the main thread.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "daemon/descriptor.h"
#include "daemon/memory_watch.h"

namespace traind {

// Descriptor numbers from `first` on. The kernel gives a connection the lowest number of its range
// that is free, so whoever closes the connection makes room without telling us, and there is
// nothing to count.
struct NumberRange {
  int first = 0;
  int size = 0;
};

// A listening socket, non-blocking, and what becomes of its callers.
struct Door {
  std::string name;  // for the log
  int listener = -1;
  NumberRange numbers;               // when all are in use, callers are turned away
  std::function<void(int)> take_in;  // owns the connection from now on; must not throw
};

class AcceptLoop {
 public:
  // The listeners must outlive the loop.
  // When the process uses `more_memory` bytes above what it uses now, the callers of the last door
  // are hung up on; when that does not help, those of the one before, and so on.
  AcceptLoop(std::vector<Door> doors, std::size_t more_memory);
  // Waits for the caller that is being taken in, if any.
  ~AcceptLoop();
  AcceptLoop(const AcceptLoop&) = delete;
  AcceptLoop& operator=(const AcceptLoop&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  // What the thread knows of a door.
  struct State {
    Clock::time_point rests_until{};
    std::optional<Clock::time_point> warned;
  };

  void loop();
  // Takes in some of those who wait; returns how long the door is to rest then.
  static Clock::duration let_in(const Door& door, State& state);
  static bool let_in_one(const Door& door, Descriptor caller);
  static void warn(State& state, const std::string& text);
  void hang_up(std::vector<State>& states) const;

  const std::vector<Door> doors_;
  MemoryWatch memory_;    // the thread's
  const Descriptor end_;  // readable when the loop is to end
  std::thread thread_;    // last: it uses all of the above
};

// How the process' descriptors are shared out: the low numbers to everything but connections (the
// database, workers' pipes, gRPC's own), then a range to each kind of caller, so that none of them
// can take what another needs.
struct DescriptorPlan {
  NumberRange local;
  NumberRange tcp;
};

// For a process that may have `limit` descriptors.
DescriptorPlan plan_descriptors(int limit);

// Raises our own limit as far as the plan wants it and the system allows; returns what it is now.
int raise_descriptor_limit();

}  // namespace traind
