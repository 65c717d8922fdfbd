// Decides when to warn, ahead of time, that the disk of the state folder fills while a run trains.
//
// Supervisor's thread only. Pure but for disk_room(), which asks the file system.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace traind {

// What may still be put on a file system.
struct DiskRoom {
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
};

// Throws Error(kIo).
DiskRoom disk_room(const std::string& folder);

struct DiskWord {
  bool fills = false;  // false = it is well again
  std::string text;    // a sentence
};

// The disk fills when less is left than three checkpoints of the run take, or than the last hour
// has used, or hardly any files; it is well again when there is a quarter more than that.
class DiskWatch {
 public:
  using Clock = std::chrono::steady_clock;

  // `checkpoint` is the size of one, in bytes; 0 = not known. What is to be told now, if anything:
  // given at each look until told() was called.
  std::optional<DiskWord> look(const DiskRoom& room, std::uint64_t checkpoint,
                               Clock::time_point now);
  // The newest word has reached people.
  void told() { filling_ = fills_; }

  // What is wrong, with figures as of the newest look; empty = the disk is well.
  const std::string& trouble() const { return trouble_; }

 private:
  struct Look {
    Clock::time_point time;
    std::uint64_t bytes;
  };
  std::uint64_t used_lately(std::uint64_t bytes, Clock::time_point now);

  std::deque<Look> looks_;  // of the last hour, some a minute, oldest first
  bool fills_ = false;      // as of the newest look
  bool filling_ = false;    // as people know it
  std::string trouble_;
};

}  // namespace traind
