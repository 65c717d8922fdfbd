#include "daemon/run_state.h"

#include <array>

#include "model/base/error.h"

namespace traind {
namespace {

constexpr std::array kNames = {"",        "queued",    "starting", "running", "stopping",
                               "stopped", "preempted", "stalled",  "failed",  "completed"};

}  // namespace

const char* name_of(RunState state) noexcept { return kNames[static_cast<std::size_t>(state)]; }

RunState run_state_from_name(const std::string& name) {
  for (std::size_t i = 1; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<RunState>(i);
  }
  throw Error(ErrorKind::kCorrupt, "the database names a state that does not exist: " + name);
}

bool is_finished(RunState state) noexcept {
  return state == RunState::kStopped || state == RunState::kFailed || state == RunState::kCompleted;
}

}  // namespace traind
