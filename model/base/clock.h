// Wall-clock time for people and records, and durations as words. Intervals are never measured
// with it: those use std::chrono::steady_clock. Functions; safe on any thread.
#pragma once

#include <cstdint>
#include <string>

namespace traind {

// Microseconds since 1970-01-01T00:00:00Z.
std::int64_t unix_micros() noexcept;

// "2026-11-21T02:35:07Z"; with millis "2026-11-21T02:35:07.123Z" (RFC 3339, UTC).
std::string rfc3339(std::int64_t unix_micros, bool millis = false);

// "21h:2m:48s", "2m:48s" or "48s". Negative counts as zero.
std::string duration_words(double seconds);

}  // namespace traind
