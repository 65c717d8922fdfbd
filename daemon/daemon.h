// The daemon as its parts, in the order in which they are made; they end in reverse.
//
// One per process. Made and run by the main thread, which has blocked SIGTERM and SIGINT before
// any other thread began. Threads: this one (signals), the supervisor, the mailer, the pump, a few
// jobs, the verifier's while there is something to verify, gRPC's own.
#pragma once

#include <memory>
#include <string>

#include "daemon/config.h"
#include "daemon/descriptor.h"
#include "daemon/jobs.h"
#include "daemon/mail_desk.h"
#include "daemon/mailer.h"
#include "daemon/server.h"
#include "daemon/service.h"
#include "daemon/service_notifier.h"
#include "daemon/status_board.h"
#include "daemon/store.h"
#include "daemon/stream_pump.h"
#include "daemon/supervisor.h"
#include "daemon/verifier.h"

namespace traind {

// SIGTERM and SIGINT: blocked for this thread and those it starts. SIGPIPE and SIGHUP: ignored,
// because a daemon started in a shell is to outlive its terminal. What it and its workers write is
// for owner and group.
void prepare_process();

class Daemon {
 public:
  // Throws Error: kConfig, kState (another daemon has the folder or the socket), kIo, ...
  Daemon(const DaemonConfig& config, const std::string& host);
  ~Daemon();

  // Serves until SIGTERM or SIGINT, then stops in order; a second signal cuts that short. False:
  // a mail server or a disk still holds a thread of ours, so the process must end without waiting
  // for it.
  bool run();

 private:
  // How the supervisor has ended: with its worker, without it, or not at all.
  enum class End { kInOrder, kAtOnce, kStuck };
  End wait_for_end();

  const DaemonConfig config_;
  const Descriptor state_lock_;  // one daemon per state folder
  Store store_;
  StatusBoard board_;
  ServiceNotifier notifier_;
  const MailDesk desk_;
  StreamPump pump_;
  Mailer mailer_;
  Supervisor supervisor_;
  Jobs checks_;
  Jobs translators_;
  Verifier verifier_;
  TrainingService service_;
  RpcServer server_;
};

}  // namespace traind
