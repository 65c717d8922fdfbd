// The run that is being executed: its worker, from start over crashes and stalls to the end.
//
// Supervisor's thread only. Nothing waits. Each turn does what is due; a turn that throws (the
// database refuses) has changed nothing that the next turn would not do again.
#pragma once

#include <poll.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/config.h"
#include "daemon/mail_desk.h"
#include "daemon/restart_policy.h"
#include "daemon/run_ledger.h"
#include "daemon/status_board.h"
#include "daemon/store.h"
#include "daemon/worker_process.h"

namespace traind {

// What an active run works with; outlives it.
struct RunSurroundings {
  const DaemonConfig& config;
  Store& store;
  StatusBoard& board;
  const MailDesk& desk;
  std::function<void()> changed;  // something new is in the database or on the board
};

class ActiveRun {
 public:
  using Clock = std::chrono::steady_clock;

  ActiveRun(const RunSurroundings& around, RunRow run);

  const RunRow& run() const { return ledger_.run(); }
  // The run needs nobody any more (or waits for the next daemon).
  bool done() const { return done_; }

  void turn(Clock::time_point now);
  // Each is answered by what later turns do.
  void stop(Clock::time_point now);     // somebody asked for it
  void preempt(Clock::time_point now);  // the daemon ends
  void save();                          // Throws Error(kState) without a training worker.
  // The daemon ends at once: the worker saves and ends on its own.
  void leave() noexcept;

  void watch(std::vector<pollfd>& watched) const;
  Clock::time_point next_deadline() const;
  // Showed life lately, or waits for a start; false = something here is stuck.
  bool healthy(Clock::time_point now) const;
  // "run spelling epoch 3/4 batch 100/32453 loss 0.0531 ETA 2h:11m:0s"
  std::string status_line() const;

 private:
  enum class Wish { kNone, kStop, kPreempt };

  void commit(const RunLedger::More& more = {});
  void set_state(RunState state, const std::string& reason);
  void launch(Clock::time_point now);
  void read(Clock::time_point now);
  void take(Event event);
  void kill_if_late(Clock::time_point now);
  void conclude(Clock::time_point now);
  void try_again(Clock::time_point now, const std::string& what_happened);
  void finish(RunState state, const std::string& reason);
  std::string what_happened() const;
  std::string position_words() const;

  const RunSurroundings& around_;
  RunLedger ledger_;
  RestartPolicy policy_;
  Wish wish_ = Wish::kNone;
  bool done_ = false;

  // Of the present worker; reset with it.
  std::unique_ptr<WorkerProcess> worker_;
  bool quiet_ = false;             // the last look at its pipe found nothing
  bool announce_running_ = false;  // it has started, the state does not say so yet
  bool training_ = false;
  bool stalled_ = false;
  std::string killed_because_;  // empty = we did not
  std::optional<RunEnded> ended_;
  std::optional<RunFailed> failed_;
  std::optional<Progress> progress_;
  Clock::time_point last_sign_;
  Clock::time_point kill_at_ = Clock::time_point::max();

  Clock::time_point start_at_;  // of the next worker, when there is none
};

}  // namespace traind
