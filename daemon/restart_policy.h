// When a worker that died is started again: growing delays, and an end without progress.
//
// A value; one thread. Progress is a durable checkpoint of a newer step than ever before; what a
// worker merely says about itself does not count.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "daemon/config.h"

namespace traind {

class RestartPolicy {
 public:
  RestartPolicy(const WorkerSettings& settings, std::int64_t newest_checkpoint_step)
      : settings_(settings), newest_step_(newest_checkpoint_step) {}

  void saved(std::int64_t step) noexcept {
    if (step <= newest_step_) return;
    newest_step_ = step;
    attempts_ = 0;
  }

  // How long to wait before the next start; nothing = give up.
  std::optional<std::chrono::milliseconds> next_delay() noexcept {
    if (attempts_ >= settings_.max_restarts) return std::nullopt;
    std::chrono::milliseconds delay = settings_.restart_delay;
    for (int i = 0; i < attempts_ && delay < settings_.longest_restart_delay; ++i) delay *= 2;
    ++attempts_;
    return std::min(delay, settings_.longest_restart_delay);
  }

  // Since the last progress.
  int attempts() const noexcept { return attempts_; }

  // Exit statuses after which a start cannot do better (docs/worker.md). A device that is missing
  // or refuses (69) ends a run that has never taken a step: there it is a matter of how the machine
  // is set up. One that has trained lost a device that was there, for which waiting may help.
  static bool is_final(int exit_status, bool has_trained) noexcept {
    return exit_status == 1 || exit_status == 65 || exit_status == 66 || exit_status == 76 ||
           exit_status == 78 || (exit_status == 69 && !has_trained);
  }

 private:
  WorkerSettings settings_;
  std::int64_t newest_step_;
  int attempts_ = 0;
};

}  // namespace traind
