// Sends a run's events up the pipe to the daemon.
//
// Trainer's thread only. on_event() waits while the pipe is full, and not for the network: the
// daemon empties it at once. When the daemon is gone it asks the trainer to save and end.
#pragma once

#include "model/train/control.h"
#include "model/train/events.h"

namespace traind {

class PipeSink final : public EventSink {
 public:
  PipeSink(int fd, TrainerControl& control) : fd_(fd), control_(control) {}
  void on_event(const Event& event) noexcept override;

 private:
  const int fd_;
  TrainerControl& control_;
  bool broken_ = false;
};

}  // namespace traind
