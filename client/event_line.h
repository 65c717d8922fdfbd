// One event of a run as one line: what a piped `watch` prints, and the list below the live plot.
//
// Pure functions of the event and the look; safe on any thread. Strings come out neutral.
#pragma once

#include <string>

#include "client/look.h"
#include "traind/v1/training.pb.h"

namespace traind {

// What happened, without its time; empty for progress and heartbeats, which are not told.
std::string event_text(const v1::WatchRunResponse& event);

// With the time before it (UTC, or the clock time on a terminal) and a newline; empty likewise.
std::string event_line(const v1::WatchRunResponse& event, const Look& look);

}  // namespace traind
