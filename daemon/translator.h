// Answers lines from a run's checkpoint in a process of its own, while training goes on: a crash
// in there is an error message and nothing more. Waits for that process; for the job threads.
#pragma once

#include <stop_token>

#include "daemon/config.h"
#include "daemon/run_rows.h"
#include "traind/v1/training.pb.h"

namespace traind {

// Throws Error: kConfig for lines that cannot be asked, what the worker's answer says, and what
// worker_call.h throws.
void translate(const DaemonConfig& config, const RunRow& run, const v1::TranslateRequest& request,
               v1::TranslateResponse& response, const std::stop_token& stop);

}  // namespace traind
