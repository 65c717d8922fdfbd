// The text/html part of a mail. Pure functions of a report; safe on any thread.
#pragma once

#include <string>

#include "notifier/report.h"

namespace traind {

// A whole document under 100 KB: inline styles and tables only, as mail programs want it.
// `chart_alt` describes the picture cid:chart in words; empty = no picture.
std::string html_of(const Report& report, const std::string& chart_alt);

}  // namespace traind
