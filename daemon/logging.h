// The daemon's own log: one line an event to standard error, for journald or a terminal.
//
// setup_logging() before any thread; the rest on any thread. Whatever enters a line, gRPC's words
// included, leaves it without anything that could steer a terminal.
#pragma once

#include <string>
#include <string_view>

namespace traind {

// Level as in traind.toml. journald adds times and levels itself, so lines carry none there.
void setup_logging(const std::string& level);

// What others wrote (workers, run files, mail servers) as it is kept in the database and shown:
// one_line() of model/base/plain_text.h, cut when it is long.
std::string printable(std::string_view text);

}  // namespace traind
