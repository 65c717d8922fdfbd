// The newest progress of runs that are being worked on, and what is wrong with the daemon itself;
// never stored, so that it can be asked for while the database cannot be written.
//
// Safe on any thread; one mutex, held for a copy. Written by the supervisor.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

  // In words for people; empty = nothing is wrong.
  void set_troubles(std::vector<std::string> troubles) {
    const std::lock_guard lock(mutex_);
    troubles_ = std::move(troubles);
  }
  std::vector<std::string> troubles() const {
    const std::lock_guard lock(mutex_);
    return troubles_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::int64_t, BoardEntry> entries_;  // guarded by mutex_
  std::int64_t serial_ = 0;                     // guarded by mutex_
  std::vector<std::string> troubles_;           // guarded by mutex_
};

}  // namespace traind
