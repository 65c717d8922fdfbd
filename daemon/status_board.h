// The newest progress of runs that are being worked on; never stored.
//
// Safe on any thread; one mutex, held for a copy. Written by the supervisor.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "model/train/events.h"

namespace traind {

struct BoardEntry {
  Progress progress;
  std::int64_t serial = 0;  // grows with each report of any run
  std::int64_t time_micros = 0;
};

class StatusBoard {
 public:
  void put(std::int64_t run, const Progress& progress, std::int64_t now_micros) {
    const std::lock_guard lock(mutex_);
    entries_[run] = {progress, ++serial_, now_micros};
  }
  void remove(std::int64_t run) {
    const std::lock_guard lock(mutex_);
    entries_.erase(run);
  }
  std::optional<BoardEntry> get(std::int64_t run) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(run);
    if (found == entries_.end()) return std::nullopt;
    return found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::int64_t, BoardEntry> entries_;  // guarded by mutex_
  std::int64_t serial_ = 0;                     // guarded by mutex_
};

}  // namespace traind
