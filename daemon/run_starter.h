// A start, from the run file's text to a run in the queue: checked by the worker's own code, so
// that what cannot work is refused here and not found an hour later.
//
// start() waits for the check (it reads the corpus); for the job threads. Constant after
// construction.
#pragma once

#include <stop_token>
#include <string>

#include "daemon/config.h"
#include "daemon/store.h"
#include "daemon/supervisor.h"
#include "traind/v1/training.pb.h"

namespace traind {

class RunStarter {
 public:
  RunStarter(const DaemonConfig& config, Store& store, Supervisor& supervisor)
      : config_(config), store_(store), supervisor_(supervisor) {}

  // Throws Error: kConfig or kData with the reason for a refusal, kState for a name in use,
  // kNotFound for initial weights that are not there, kNoSpace, and what worker_call.h and Store
  // throw. A refused start leaves nothing behind.
  RunRow start(const v1::StartRunRequest& request, v1::StartRunResponse& response,
               const std::stop_token& stop) const;

 private:
  v1::CheckReport check(const v1::StartRunRequest& request, const std::string& folder,
                        const std::stop_token& stop) const;
  // The same with the weights that the request means in the folder; `from` becomes their name.
  v1::CheckReport check_with_weights(const v1::StartRunRequest& request, const std::string& folder,
                                     const std::stop_token& stop, std::string& from) const;
  void refuse_without_space(const v1::CheckReport& report) const;

  const DaemonConfig& config_;
  Store& store_;
  Supervisor& supervisor_;
};

}  // namespace traind
