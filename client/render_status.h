// A run's status as text: what `trainctl status` prints, and the lines that `watch` shows above
// its plot.
//
// Pure functions of the reply and the look; safe on any thread. Strings of the reply come out
// neutral. Ages are counted from the daemon's clock, so a laptop whose clock is off shows them
// right.
#pragma once

#include <string>
#include <vector>

#include "client/look.h"
#include "traind/v1/training.pb.h"

namespace traind {

// The ink of a state: green runs or is done, yellow wants attention, red has failed.
Ink ink_of(v1::RunState state);

// The whole of `trainctl status`, ending with a newline.
std::string render_status(const v1::GetStatusResponse& status, const Look& look);

// "spelling  running: epoch 2 of 3".
std::string headline(const v1::Run& run, const Look& look);

// Like "[#####-----]  52 %", `columns` wide in all. `share` is clamped to 0..1.
std::string bar(double share, int columns, const Look& look);

// Done of the epoch being trained, and of the whole run, in 0..1.
double epoch_share(const v1::GetStatusResponse& status);
double run_share(const v1::GetStatusResponse& status);

// "2m 14s used, about 3m 05s left, done at 14:12:09", as far as it is known.
std::string time_line(const v1::GetStatusResponse& status, const Look& look);
// "cpu (Intel Xeon, 2 threads): no CUDA device was found"; empty when no worker has started.
std::string device_line(const v1::GetStatusResponse& status);
// "2 waiting, 1 dead: 550 no such user"; empty when all is sent.
std::string mail_line(const v1::GetStatusResponse& status);
// "step-1435.safetensors, 12s ago (epoch 2, step 1,435, 9.8 MB)"; "none yet".
std::string checkpoint_line(const v1::GetStatusResponse& status, const Look& look);

}  // namespace traind
