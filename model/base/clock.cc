#include "model/base/clock.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace traind {

std::int64_t unix_micros() noexcept {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string rfc3339(std::int64_t unix_micros, bool millis) {
  constexpr std::int64_t kMicros = 1'000'000;
  std::int64_t seconds = unix_micros / kMicros;
  std::int64_t micros = unix_micros % kMicros;
  if (micros < 0) {
    micros += kMicros;
    --seconds;
  }
  const std::time_t time = static_cast<std::time_t>(seconds);
  std::tm utc{};
  gmtime_r(&time, &utc);
  char date[40];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
  if (!millis) return std::string(date) + "Z";
  char fraction[8];
  std::snprintf(fraction, sizeof fraction, ".%03dZ", static_cast<int>(micros / 1000));
  return std::string(date) + fraction;
}

std::string duration_words(double seconds) {
  const std::int64_t total = static_cast<std::int64_t>(std::max(0.0, std::min(seconds, 1e15)));
  const std::int64_t hours = total / 3600;
  const std::int64_t minutes = total / 60 % 60;
  std::string words;
  if (hours > 0) words += std::to_string(hours) + "h:";
  if (total >= 60) words += std::to_string(minutes) + "m:";
  return words + std::to_string(total % 60) + "s";
}

}  // namespace traind
