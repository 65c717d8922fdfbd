// The daemon's own log: one line an event to standard error, for journald or a terminal.
//
// setup_logging() before any thread; the rest on any thread. Text that others wrote (workers, run
// files, mail servers) goes through printable() before it enters a line.
#pragma once

#include <string>
#include <string_view>

namespace traind {

// Level as in traind.toml. journald adds times and levels itself, so lines carry none there.
void setup_logging(const std::string& level);

// Control characters replaced, long text cut: one line that cannot steer a terminal.
std::string printable(std::string_view text);

}  // namespace traind
