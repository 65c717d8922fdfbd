// One running `traind-worker run`: its events come up, a few wishes go down, its end is noticed.
//
// Owned and used by the supervisor's thread alone. Nothing waits, except the destructor: it kills
// a worker that is still there (unless leave() was called) and reaps it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/frames.h"
#include "daemon/spawn.h"

namespace traind {

struct WorkerCommand {
  std::string program;
  std::string folder;  // of the run; worker.log in it takes both outputs
  bool accept_changed_data = false;
};

class WorkerProcess {
 public:
  // Throws Error(kIo).
  explicit WorkerProcess(const WorkerCommand& command);
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  pid_t pid() const { return child_.pid; }
  int event_descriptor() const { return events_.get(); }  // -1 after its end
  int exit_descriptor() const { return child_.exit.get(); }

  // Whole messages that are there, up to a bound, so that a flood leaves time for other work.
  // Throws Error(kCorrupt) for a frame that is none.
  std::vector<std::string> read_events();
  // No more events can come.
  bool events_ended() const { return !events_.open(); }

  void ask_stop();
  void ask_save();
  // Told again and again until it fits into the pipe; only the newest counts.
  void acknowledge(std::int64_t step);
  void kill() noexcept;
  // waitpid's status once the process has ended.
  std::optional<int> ended();
  // After its end: whether that was for want of memory, as far as the system tells.
  bool ended_for_memory() const noexcept { return ended_for_memory_; }
  // Likewise: how it ended, in words.
  std::string end_words() const;
  // Lets the worker live on without us: it sees the end of its control pipe, saves and ends.
  void leave() noexcept { left_ = true; }

 private:
  bool tell(const std::string& message);

  Descriptor events_;
  Descriptor control_;
  Child child_;
  FrameReader frames_;
  std::optional<int> status_;
  std::int64_t acknowledged_ = -1;
  std::int64_t kills_before_ = -1;  // of the kernel, for want of memory
  bool ended_for_memory_ = false;
  bool left_ = false;
};

}  // namespace traind
