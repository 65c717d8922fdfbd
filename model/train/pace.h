// How fast training goes and when it will be done.
//
// Owned by the trainer's thread; uses the steady clock, so that a clock that jumps does not matter.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>

namespace traind {

class Pace {
 public:
  using Clock = std::chrono::steady_clock;

  // `trained_seconds` is what earlier workers of this run have trained already.
  Pace(double trained_seconds, Clock::time_point now);

  // A step is done.
  void step(std::int64_t examples, std::int64_t tokens, Clock::time_point now);
  // What a whole validation took; the newest one is used to look ahead.
  void validated(double seconds) { validation_seconds_ = seconds; }
  // Work that is no step was done until now: it must not count as a slow step.
  void pause_ended(Clock::time_point now);
  // So many of the seconds up to now were no training: they do not count as trained.
  void stood_still(double seconds);

  double examples_per_second() const;  // over about the last ten seconds of stepping
  double tokens_per_second() const;
  double trained_seconds(Clock::time_point now) const;
  // -1 before there is anything to go by.
  double seconds_left(std::int64_t steps_left, std::int64_t validations_left) const;

 private:
  struct Mark {
    double seconds;  // stepping time so far
    std::int64_t examples;
    std::int64_t tokens;
    std::int64_t steps;
  };
  double before_;  // trained by earlier workers
  Clock::time_point begin_;
  Clock::time_point last_;  // end of the last step or pause
  Mark total_{0, 0, 0, 0};
  std::deque<Mark> marks_;  // of the window, oldest first
  double validation_seconds_ = 0;
};

}  // namespace traind
