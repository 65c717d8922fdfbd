// What a walk through a large mapped file owes to others: signs of life to whoever waits, and
// pages to the kernel, so that the process does not swell to the size of the file.
//
// One thread. The file and the callback must outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "model/data/mapped_file.h"

namespace traind {

class ReadingPace {
 public:
  // Bytes of work between two signs of life: milliseconds, and below 100 ms on a slow disk.
  static constexpr std::size_t kShowBytes = std::size_t{4} << 20;

  ReadingPace(const MappedFile& file, const std::function<void()>& on_progress);
  // Gives back the rest of a file that is larger than the window.
  ~ReadingPace();
  ReadingPace(const ReadingPace&) = delete;
  ReadingPace& operator=(const ReadingPace&) = delete;

  // The walk has come to `offset`; offsets grow. Call it for every line: it is cheap.
  void reach(std::size_t offset) {
    if (offset - shown_at_ >= kShowBytes || ++steps_ == kShowSteps) show(offset);
  }
  void show_life() const {
    if (on_progress_) on_progress_();
  }

 private:
  static constexpr int kShowSteps = 1 << 16;
  void show(std::size_t offset);

  const MappedFile& file_;
  const std::function<void()>& on_progress_;
  std::size_t shown_at_ = 0;
  int steps_ = 0;              // since then
  std::size_t forgotten_ = 0;  // pages before this are given back
};

}  // namespace traind
