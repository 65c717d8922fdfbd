#include "model/train/pace.h"

namespace traind {
namespace {

constexpr double kWindowSeconds = 10;
// A mark a tenth of a second is enough; thousands of tiny steps need not be kept.
constexpr double kMarkSeconds = 0.1;

double seconds_between(Pace::Clock::time_point from, Pace::Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

Pace::Pace(double trained_seconds, Clock::time_point now)
    : before_(trained_seconds), begin_(now), last_(now), marks_{total_} {}

void Pace::step(std::int64_t examples, std::int64_t tokens, Clock::time_point now) {
  total_.seconds += seconds_between(last_, now);
  total_.examples += examples;
  total_.tokens += tokens;
  ++total_.steps;
  last_ = now;
  if (total_.seconds - marks_.back().seconds >= kMarkSeconds) marks_.push_back(total_);
  while (marks_.size() > 2 && total_.seconds - marks_[1].seconds >= kWindowSeconds) {
    marks_.pop_front();
  }
}

void Pace::pause_ended(Clock::time_point now) { last_ = now; }

void Pace::stood_still(double seconds) {
  begin_ += std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

double Pace::examples_per_second() const {
  const double seconds = total_.seconds - marks_.front().seconds;
  return seconds <= 0 ? 0
                      : static_cast<double>(total_.examples - marks_.front().examples) / seconds;
}

double Pace::tokens_per_second() const {
  const double seconds = total_.seconds - marks_.front().seconds;
  return seconds <= 0 ? 0 : static_cast<double>(total_.tokens - marks_.front().tokens) / seconds;
}

double Pace::trained_seconds(Clock::time_point now) const {
  return before_ + seconds_between(begin_, now);
}

double Pace::seconds_left(std::int64_t steps_left, std::int64_t validations_left) const {
  const double seconds = total_.seconds - marks_.front().seconds;
  const std::int64_t steps = total_.steps - marks_.front().steps;
  if (steps == 0 || seconds <= 0) return -1;
  return seconds / static_cast<double>(steps) * static_cast<double>(steps_left) +
         validation_seconds_ * static_cast<double>(validations_left);
}

}  // namespace traind
