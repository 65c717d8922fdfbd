// The text/plain part of a mail. Pure functions of a report; safe on any thread.
#pragma once

#include <string>

#include "notifier/report.h"

namespace traind {

// UTF-8, "\n" line ends, at most 78 columns but for batch lines, log lines and samples.
std::string text_of(const Report& report);

}  // namespace traind
