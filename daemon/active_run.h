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
#include "daemon/load_trials.h"
#include "daemon/mail_desk.h"
#include "daemon/restart_policy.h"
#include "daemon/run_ledger.h"
#include "daemon/status_board.h"
#include "daemon/store.h"
#include "daemon/training_rows.h"
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
  // A notice of the daemon's own, with a warning mail about the topic (empty = none).
  void warn(const Notice& notice, const std::string& topic, const std::string& what_next);
  // Of one of the run's checkpoints, the newest or what one will have; 0 = not known.
  std::uint64_t checkpoint_bytes() const;
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
  // What is true once a worker that died is to be started again.
  struct Next {
    RestartPolicy policy;
    LoadTrials trials;
    std::chrono::milliseconds delay;
    std::string set_aside;  // the checkpoint that was just now; empty = none
  };

  void commit(const RunLedger::More& more = {});
  void set_state(RunState state, const std::string& reason);
  void launch(Clock::time_point now);
  void read(Clock::time_point now);
  void take(Event event);
  bool is_told_again(const CheckpointSaved& saved) const;
  void tell_missing(const RunStarted& started);
  void kill_if_late(Clock::time_point now);
  std::string stall_sign(Clock::time_point now) const;
  void conclude(Clock::time_point now);
  bool died_loading() const;
  void try_again(Clock::time_point now, std::string what_happened);
  void start_again(const Next& next, const std::string& what_happened);
  void fail(std::string reason);
  void finish(RunState state, const std::string& reason, const RunLedger::More& more = {});
  std::string what_happened() const;
  std::string checkpoint_folder() const;
  std::string position_words() const;

  const RunSurroundings& around_;
  RunLedger ledger_;
  RestartPolicy policy_;
  LoadTrials trials_;
  Wish wish_ = Wish::kNone;
  bool done_ = false;

  // Of the present worker; reset with it.
  std::unique_ptr<WorkerProcess> worker_;
  bool quiet_ = false;             // the last look at its pipe found nothing
  bool announce_running_ = false;  // it has started, the state does not say so yet
  bool training_ = false;
  bool stalled_ = false;
  std::string killed_because_;  // empty = we did not
  // When it was started, newest first: the durable checkpoints, and those of them that are gone.
  std::vector<CheckpointRow> kept_;
  std::vector<CheckpointRow> missing_;
  std::string loading_;  // the checkpoint that it has not loaded yet; empty = none
  std::optional<RunEnded> ended_;
  std::optional<RunFailed> failed_;
  std::optional<Progress> progress_;
  Clock::time_point last_sign_;
  Clock::time_point kill_at_ = Clock::time_point::max();

  Clock::time_point start_at_;  // of the next worker, when there is none
};

}  // namespace traind
