// Whether the checkpoints that a run keeps fit on its disk.
//
// A value and functions; safe on any thread. They ask the file system, which takes no time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace traind {

// In bytes. A run keeps the newest `keep` checkpoints and the best one, and writes the next before
// it removes the oldest.
struct CheckpointSpace {
  std::uint64_t checkpoint = 0;  // one of them
  std::uint64_t files = 0;       // that are still to come, at least one
  std::uint64_t free = 0;
  std::string folder;

  std::uint64_t needed() const { return files * checkpoint; }
  bool enough() const { return free >= needed(); }
  // "this run's checkpoints need 515 MB (5 times 103 MB), and 200 MB are free in /x: make room"
  std::string in_words() const;
};

// `lying` of its checkpoints are on the disk already. Throws Error(kIo).
CheckpointSpace checkpoint_space(const std::string& folder, std::uint64_t checkpoint, int keep,
                                 std::size_t lying);

}  // namespace traind
