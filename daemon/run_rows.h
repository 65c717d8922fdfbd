// Runs in the database. Functions on a connection; the caller holds its transaction.
// Throw what Database throws.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/run_state.h"
#include "daemon/sqlite.h"
#include "model/train/events.h"

namespace traind {

struct RunRow {
  std::int64_t run = 0;  // key in the other tables
  std::string id;
  std::string name;
  RunState state = RunState::kQueued;
  std::string reason;
  std::string request_id;
  bool accept_changed_data = false;
  int restarts = 0;
  std::int64_t created_micros = 0;
  std::int64_t started_micros = 0;
  std::int64_t finished_micros = 0;
  int epochs = 0;
  int epoch = 0;
  std::int64_t step = 0;
  double trained_seconds = 0;
  std::int64_t queue_position = 0;      // grows each time somebody asks for the run
  std::optional<EndReason> end_reason;  // of a completed run
  // The run file as a resume changed it, until a worker has started with it; empty = as it is.
  std::string next_run_file;
  // Newest start of a worker. config is the run file at creation until then; started_from is what
  // was asked for ("RUN@CHECKPOINT").
  RunStarted started;
};

// "all_epochs", "early_stop", ...: as in the database.
const char* name_of(EndReason reason) noexcept;

// Appends to the queue; sets run.run. Throws Error(kState) when an unfinished run has the name.
void insert_run(Database& db, RunRow& run);

std::optional<RunRow> run_by_number(Database& db, std::int64_t run);
std::optional<RunRow> run_by_request(Database& db, const std::string& request_id);
// By id or name (the newest of that name); empty: the active one, else the newest.
// Throws Error(kNotFound) with a sentence.
RunRow find_run(Database& db, const std::string& name_or_id);
// Newest first; below `before` when that is not 0.
std::vector<RunRow> list_runs(Database& db, std::int64_t before, int limit);
// The unfinished ones in the order in which they are to be executed.
std::vector<RunRow> unfinished_runs(Database& db);

void set_run_state(Database& db, std::int64_t run, RunState state, const std::string& reason,
                   std::int64_t now_micros);
// Completed, for that reason.
void set_end_reason(Database& db, std::int64_t run, EndReason reason);
// What the run's next worker is to find as its run file, and how many epochs that says.
void set_next_run_file(Database& db, std::int64_t run, const std::string& text, int epochs);
// Back to the end of the queue. Throws Error(kState) when another unfinished run has the name.
void requeue_run(Database& db, const RunRow& run, const std::string& reason,
                 bool accept_changed_data);
// The newest start; leaves started_from as it is.
void set_run_started(Database& db, std::int64_t run, const RunStarted& started,
                     std::int64_t now_micros);
void set_run_position(Database& db, std::int64_t run, int epoch, std::int64_t step,
                      double trained_seconds);
void count_restart(Database& db, std::int64_t run);

}  // namespace traind
