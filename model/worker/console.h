// What traind-worker says to whoever reads its standard output and standard error: harmless text,
// whatever a run file or a corpus holds. Safe on any thread; nothing waits but for the reader.
#pragma once

#include <string>

namespace traind {

// "traind-worker: WORDS" as one line on standard error, which under the daemon is worker.log.
void complain(const std::string& words) noexcept;

// A line of a result as it goes to standard output: to a terminal harmless, to a file or a pipe as
// it is, because right-to-left text needs its marks.
std::string result_line(const std::string& line);

}  // namespace traind
