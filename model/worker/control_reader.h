// Listens for signals and for the daemon while the trainer works.
//
// A thread of its own; hands everything to TrainerControl. SIGTERM and SIGINT must be blocked in
// every thread before construction. The first one asks for a save and an end, as does the end of
// the control pipe; the second one ends the process at once, with 128 + its number.
#pragma once

#include <thread>

#include "model/train/control.h"
#include "model/worker/frame.h"

namespace traind {

// SIGTERM, SIGINT: blocked for the calling thread and those it starts. SIGPIPE, SIGXFSZ: ignored.
void block_signals();

class ControlReader {
 public:
  // control_fd < 0: signals alone. Throws Error(kIo).
  ControlReader(TrainerControl& control, int control_fd);
  ~ControlReader();
  ControlReader(const ControlReader&) = delete;
  ControlReader& operator=(const ControlReader&) = delete;

 private:
  void run();
  void read_signal();
  void read_control(FrameReader& frames);

  TrainerControl& control_;
  int control_fd_;  // -1 once it has ended
  int signal_fd_ = -1;
  int wake_fd_ = -1;
  bool asked_ = false;
  std::thread thread_;
};

}  // namespace traind
