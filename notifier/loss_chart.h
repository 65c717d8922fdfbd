// The loss curve of a run as a PNG, drawn with cairo, and the same in words.
//
// Pure functions of a report; safe on any thread. Needs a scalable font on the machine for its
// labels (Debian: fonts-dejavu-core); without one the curves are drawn without words.
#pragma once

#include <string>

#include "notifier/report.h"

namespace traind {

// 1200 x 600 pixels to be shown at 600 x 300, opaque. Empty if there are fewer than two points to
// join, or if cairo cannot draw: a mail without its picture is better than no mail.
std::string loss_chart_png(const Report& report);

// "Loss by epoch. Training: 1.2000, 0.8000. Validation: ..." with the newest ten epochs.
std::string loss_chart_words(const Report& report);

}  // namespace traind
