// Tells a checkpoint that crashes its loader from a machine that crashes every worker.
//
// A value; one thread. Three crashes while one file is loaded, and it is to be set aside, so that
// the next older one is tried. If that one crashes workers as well, the fault is not in the files:
// then it is time to give up and to put the first back, rather than to set aside one after another.
#pragma once

#include <string>
#include <utility>

#include "daemon/checkpoint_files.h"

namespace traind {

class LoadTrials {
 public:
  static constexpr int kMost = 3;  // crashes on one file
  enum class Verdict { kTryAgain, kSetAside, kGiveUp };

  // The file that was set aside before and has brought nothing yet; empty = none. Not `by_us`:
  // somebody did it by hand, and meant it.
  LoadTrials(std::string set_aside, bool by_us)
      : set_aside_(std::move(set_aside)), helped_(!by_us) {}

  // A worker died while it loaded this file. After kSetAside the file counts as set aside.
  Verdict crashed(const std::string& file) {
    if (file != suspect_) crashes_ = 0;
    suspect_ = file;
    if (++crashes_ < kMost) return Verdict::kTryAgain;
    if (!set_aside_.empty()) return Verdict::kGiveUp;
    set_aside_ = file;
    helped_ = false;
    return Verdict::kSetAside;
  }
  // On the file that the last crash was about.
  int crashes() const noexcept { return crashes_; }

  // A worker has loaded what it needs and trains.
  void began() noexcept {
    crashes_ = 0;
    helped_ = true;
  }
  // A checkpoint is durable: beyond the one set aside, that one is history.
  void saved(const std::string& file) {
    if (is_newer_checkpoint(file, set_aside_)) set_aside_.clear();
  }
  // Set aside, and no worker has trained since: perhaps it was not to blame. Empty = none.
  std::string unproven() const { return helped_ ? "" : set_aside_; }

 private:
  std::string suspect_;
  int crashes_ = 0;
  std::string set_aside_;
  bool helped_;
};

}  // namespace traind
