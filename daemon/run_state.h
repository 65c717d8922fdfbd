// The states of a run, as stored, shown and sent; numbers are those of traind.v1.RunState.
// Values; safe on any thread.
#pragma once

#include <string>

namespace traind {

enum class RunState {
  kQueued = 1,
  kStarting,
  kRunning,
  kStopping,
  kStopped,
  kPreempted,  // the daemon ended; goes on by itself when the daemon is back
  kStalled,    // showed no progress, was killed, will be started again
  kFailed,
  kCompleted,
};

// "queued", "starting", ...: as in the database and in JSON.
const char* name_of(RunState state) noexcept;
// Throws Error(kCorrupt) for a name that is none.
RunState run_state_from_name(const std::string& name);

// Stopped, failed or completed: nothing happens until somebody asks for it.
bool is_finished(RunState state) noexcept;

}  // namespace traind
