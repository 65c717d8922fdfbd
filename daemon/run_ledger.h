// Takes what a worker tells and brings it into the database: many rows in one transaction, at
// most a second late; all of an epoch (rows, checkpoint, event, mails) in the same transaction.
//
// Supervisor's thread only. Nothing is lost when the database refuses: what was taken stays
// pending, and commit() is called again.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "daemon/mail_desk.h"
#include "daemon/run_rows.h"
#include "daemon/store.h"
#include "model/train/events.h"

namespace traind {

class RunLedger {
 public:
  using Clock = std::chrono::steady_clock;

  RunLedger(Store& store, const MailDesk& desk, RunRow run);

  // The run as of the last commit.
  const RunRow& run() const { return run_; }

  // Keeps the event for the next commit. Progress and CheckpointLoading are not for here.
  void take(Event event);
  // When commit() is due; max() = nothing is pending.
  Clock::time_point due() const { return due_; }
  // Too much waits already: better to let the worker wait than to take more.
  bool full() const;

  // One transaction: all that is pending, then `more` (may be empty). Throws what Store throws;
  // then nothing happened and everything is still pending.
  using More = std::function<void(Database&, RunRow&)>;
  void commit(const More& more = {});

  // A notice of the daemon's own, with a warning mail about the topic: both are in the database
  // when this returns. Throws as commit() does; then neither is, and nothing is pending of it.
  void warn(const Notice& notice, const std::string& topic, const std::string& what_next);

  // A new worker tells from its checkpoint on again; what it has not told itself is no matter of
  // its. To be called when nothing is pending.
  void begin_worker() { stored_step_ = -1; }
  // Rows and epochs up to this step, of the present worker, are durable; -1 = none yet.
  std::int64_t stored_step() const { return stored_step_; }
  // For mails: how long the run has still to go; -1 = not known.
  void set_seconds_left(double seconds) { seconds_left_ = seconds; }

 private:
  void write(Database& db, RunRow& run, const Event& event, std::int64_t now_micros) const;
  void put_warning(Database& db, const RunRow& run, const Notice& notice, const std::string& topic,
                   const std::string& what_next, std::int64_t now_micros) const;

  Store& store_;
  const MailDesk& desk_;
  RunRow run_;
  std::vector<Event> pending_;
  Clock::time_point due_ = Clock::time_point::max();
  std::int64_t stored_step_ = -1;
  double seconds_left_ = -1;
};

}  // namespace traind
