// How well lines are answered: the four figures that every report shows side by side.
//
// A value that examples are added to; owned by one thread. The text must be valid UTF-8;
// characters are code points.
#pragma once

#include <cstdint>
#include <string>

#include "model/train/events.h"

namespace traind {

class ScoreSum {
 public:
  void add(const std::string& source, const std::string& target, const std::string& output);
  // Shares of nothing are 0.
  Scores scores() const;

 private:
  std::int64_t examples_ = 0;
  std::int64_t exact_ = 0;
  std::int64_t corrupted_ = 0;
  std::int64_t corrected_ = 0;
  std::int64_t copied_ = 0;
  std::int64_t characters_ = 0;  // of all targets
  std::int64_t edits_ = 0;       // from the outputs to the targets
  std::int64_t copy_edits_ = 0;  // from the sources to the targets
};

}  // namespace traind
