// A run's worker.log, read while workers append to it. Functions; safe on any thread; wait for the
// disk. A file that is not there yet reads as empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace traind {

// The last lines, without line ends; looks at the last 64 KiB at most.
std::vector<std::string> last_lines(const std::string& path, std::size_t lines);

// Where the last `lines` lines begin; 0 = all of them.
std::int64_t offset_of_last_lines(const std::string& path, std::size_t lines);

// Whole lines from `offset`, up to about `limit` bytes; a line longer than that comes in pieces.
// The last, unfinished line comes when `to_the_end` is set.
std::string whole_lines_at(const std::string& path, std::int64_t offset, std::size_t limit,
                           bool to_the_end);

}  // namespace traind
