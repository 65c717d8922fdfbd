// Ids of runs: ULID (github.com/ulid/spec), 26 characters that sort by time of creation.
// Functions; safe on any thread. Randomness is the kernel's.
#pragma once

#include <cstdint>
#include <string>

namespace traind {

// Throws Error(kIo) when the kernel gives no randomness.
std::string make_ulid(std::int64_t unix_micros);

bool is_ulid(const std::string& text);

}  // namespace traind
