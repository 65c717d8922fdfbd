// The verbs of trainctl: each asks traind, prints what it answers, and returns the exit code.
//
// Main thread; they wait for the daemon, and throw Failure and ReaderGone.
#pragma once

#include <string>

#include "client/exit_code.h"
#include "client/session.h"

namespace traind {

// The verb that the options name.
Exit run_verb(Session& session);

// change_verbs.cc
Exit start(Session& session);
Exit stop(Session& session);
Exit resume(Session& session);
Exit save(Session& session);

// read_verbs.cc
Exit status(Session& session);
Exit runs(Session& session);
Exit metrics(Session& session);
Exit plot_losses(Session& session);
Exit checkpoints(Session& session);
Exit version(Session& session);

// stream_verbs.cc
Exit watch(Session& session, const std::string& run);
Exit wait_for_end(Session& session);
Exit logs(Session& session);
// Waits until the run has ended, at most until `seconds` from now (0 = for ever).
v1::GetStatusResponse ended_status(Session& session, const v1::GetStatusResponse& status,
                                   double seconds);

// live_watch.cc: `watch` on a terminal. `status` is the run's, just fetched.
Exit watch_live(Session& session, const v1::GetStatusResponse& status);

// mail_verbs.cc
Exit mail_test(Session& session);
Exit mail_list(Session& session);
Exit mail_retry(Session& session);

// translate.cc
Exit translate(Session& session);

// verify.cc
Exit verify(Session& session);

}  // namespace traind
