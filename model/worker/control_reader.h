// Listens for signals and for the daemon while the trainer works.
//
// A thread of its own; hands everything to TrainerControl. SIGTERM and SIGINT must be blocked in
// every thread before construction. The first one asks for a save and an end, as does the end of
// the control pipe or rubbish on it; the second one ends the process at once, with 128 + its
// number. A process that does not follow is ended: five seconds after a stop as long as there is
// nothing to save, and once nobody watches it any more, before the next worker gives up waiting for
// the run's lock.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <thread>

#include "model/train/control.h"
#include "model/worker/frame.h"

namespace traind {

// SIGTERM, SIGINT: blocked for the calling thread and those it starts. SIGPIPE, SIGXFSZ: ignored.
void block_signals();

// Does what the daemon asks with these bytes; a message that is cut waits in `frames` for the rest,
// and one that is none is passed over. Throws Error(kCorrupt) where no message can follow.
void obey(const char* bytes, std::size_t count, FrameReader& frames, TrainerControl& control);

class ControlReader {
 public:
  // control_fd < 0: signals alone. Throws Error(kIo).
  ControlReader(TrainerControl& control, int control_fd);
  ~ControlReader();
  ControlReader(const ControlReader&) = delete;
  ControlReader& operator=(const ControlReader&) = delete;

 private:
  using Clock = std::chrono::steady_clock;

  void run();
  void end_if_late();
  void read_signal();
  void read_control(FrameReader& frames);

  TrainerControl& control_;
  const int status_at_start_;  // of the process, when a stop ends it before the first step
  int control_fd_;             // -1 once it has ended
  int signal_fd_ = -1;
  int wake_fd_ = -1;
  bool asked_ = false;
  std::optional<Clock::time_point> asked_at_;      // when a stop was noticed
  std::optional<Clock::time_point> orphan_since_;  // when the control pipe ended
  std::thread thread_;
};

}  // namespace traind
