#include "daemon/run_rows.h"

#include <array>
#include <utility>

namespace traind {
namespace {

#define TRAIND_RUN_COLUMNS                                                                       \
  "run, id, name, state, reason, request_id, accept_changed_data, restarts, created_micros, "    \
  "started_micros, finished_micros, epochs, epoch, step, trained_seconds, device, device_name, " \
  "device_reason, parameters, train_examples, valid_examples, skipped_lines, "                   \
  "source_vocabulary, target_vocabulary, batches_per_epoch, corpus_fingerprint, resumed_step, "  \
  "resumed_from, config, queue_position, started_from, end_reason, next_run_file"

constexpr std::array kEndReasons = {std::pair{EndReason::kAllEpochs, "all_epochs"},
                                    std::pair{EndReason::kStopRequested, "stop_requested"},
                                    std::pair{EndReason::kEarlyStop, "early_stop"},
                                    std::pair{EndReason::kStepLimit, "step_limit"},
                                    std::pair{EndReason::kTimeLimit, "time_limit"}};

std::optional<EndReason> end_reason_from_name(const std::string& name) {
  for (const auto& [reason, known] : kEndReasons) {
    if (name == known) return reason;
  }
  return std::nullopt;
}

RunRow read_run(const Query& row) {
  RunRow run;
  run.run = row.integer(0);
  run.id = row.text(1);
  run.name = row.text(2);
  run.state = run_state_from_name(row.text(3));
  run.reason = row.text(4);
  run.request_id = row.text(5);
  run.accept_changed_data = row.integer(6) != 0;
  run.restarts = static_cast<int>(row.integer(7));
  run.created_micros = row.integer(8);
  run.started_micros = row.integer(9);
  run.finished_micros = row.integer(10);
  run.epochs = static_cast<int>(row.integer(11));
  run.epoch = static_cast<int>(row.integer(12));
  run.step = row.integer(13);
  run.trained_seconds = row.real(14);
  run.started.device = row.text(15);
  run.started.device_name = row.text(16);
  run.started.device_reason = row.text(17);
  run.started.parameters = row.integer(18);
  run.started.train_examples = row.integer(19);
  run.started.valid_examples = row.integer(20);
  run.started.skipped_lines = row.integer(21);
  run.started.source_vocabulary = row.integer(22);
  run.started.target_vocabulary = row.integer(23);
  run.started.batches_per_epoch = row.integer(24);
  run.started.corpus_fingerprint = row.text(25);
  run.started.resumed_step = row.integer(26);
  run.started.resumed_from = row.text(27);
  run.started.config = row.text(28);
  run.queue_position = row.integer(29);
  run.started.started_from = row.text(30);
  run.end_reason = end_reason_from_name(row.text(31));
  run.next_run_file = row.text(32);
  run.started.epochs = run.epochs;
  return run;
}

std::optional<RunRow> first(Query row) {
  if (!row.next()) return std::nullopt;
  return read_run(row);
}

// The index in the database is the guard; asking first gives the sentence.
void refuse_name_in_use(Database& db, const std::string& name) {
  Query row = db.query(
      "SELECT id, state FROM runs WHERE name = ?1 "
      "AND state NOT IN ('stopped', 'failed', 'completed')",
      name);
  if (row.next()) {
    throw Error(ErrorKind::kState, "run " + name + " is " + row.text(1) + " (id " + row.text(0) +
                                       "): stop it first, or give this run another name");
  }
}

std::int64_t end_of_queue(Database& db) {
  Query row = db.query("SELECT coalesce(max(queue_position), 0) + 1 FROM runs");
  row.next();
  return row.integer(0);
}

}  // namespace

const char* name_of(EndReason reason) noexcept {
  for (const auto& [known, name] : kEndReasons) {
    if (known == reason) return name;
  }
  return "";
}

void insert_run(Database& db, RunRow& run) {
  refuse_name_in_use(db, run.name);
  const std::int64_t position = end_of_queue(db);
  Query insert = db.query(
      "INSERT INTO runs (id, name, state, reason, request_id, queue_position, created_micros, "
      "config, epochs, train_examples, valid_examples, skipped_lines, started_from) "
      "VALUES (?1, ?2, ?3, ?4, nullif(?5, ''), ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
      run.id, run.name, name_of(run.state), run.reason, run.request_id, position,
      run.created_micros, run.started.config, run.epochs, run.started.train_examples,
      run.started.valid_examples, run.started.skipped_lines, run.started.started_from);
  insert.next();
  run.run = db.last_id();
}

std::optional<RunRow> run_by_number(Database& db, std::int64_t run) {
  return first(db.query("SELECT " TRAIND_RUN_COLUMNS " FROM runs WHERE run = ?1", run));
}

std::optional<RunRow> run_by_request(Database& db, const std::string& request_id) {
  return first(
      db.query("SELECT " TRAIND_RUN_COLUMNS " FROM runs WHERE request_id = ?1", request_id));
}

RunRow find_run(Database& db, const std::string& name_or_id) {
  if (name_or_id.empty()) {
    auto run = first(db.query("SELECT " TRAIND_RUN_COLUMNS " FROM runs ORDER BY "
                              "state IN ('starting', 'running', 'stopping', 'stalled') DESC, "
                              "state = 'preempted' DESC, run DESC LIMIT 1"));
    if (run) return *run;
    throw Error(ErrorKind::kNotFound,
                "there is no run yet: start one with `trainctl start "
                "run.toml`");
  }
  auto run = first(db.query("SELECT " TRAIND_RUN_COLUMNS " FROM runs WHERE id = ?1 OR name = ?1 "
                            "ORDER BY id = ?1 DESC, run DESC LIMIT 1",
                            name_or_id));
  if (run) return *run;
  throw Error(ErrorKind::kNotFound,
              "there is no run " + name_or_id + ": `trainctl runs` lists those there are");
}

std::vector<RunRow> list_runs(Database& db, std::int64_t before, int limit) {
  std::vector<RunRow> runs;
  Query row = db.query("SELECT " TRAIND_RUN_COLUMNS
                       " FROM runs WHERE ?1 = 0 OR run < ?1 ORDER BY run DESC LIMIT ?2",
                       before, limit);
  while (row.next()) runs.push_back(read_run(row));
  return runs;
}

std::vector<RunRow> unfinished_runs(Database& db) {
  std::vector<RunRow> runs;
  Query row = db.query("SELECT " TRAIND_RUN_COLUMNS
                       " FROM runs WHERE state NOT IN ('stopped', 'failed', 'completed') "
                       "ORDER BY state = 'queued', queue_position");
  while (row.next()) runs.push_back(read_run(row));
  return runs;
}

void set_run_state(Database& db, std::int64_t run, RunState state, const std::string& reason,
                   std::int64_t now_micros) {
  db.run("UPDATE runs SET state = ?2, reason = ?3, finished_micros = ?4 WHERE run = ?1", run,
         name_of(state), reason, is_finished(state) ? now_micros : std::int64_t{0});
}

void set_end_reason(Database& db, std::int64_t run, EndReason reason) {
  db.run("UPDATE runs SET end_reason = ?2 WHERE run = ?1", run, name_of(reason));
}

void set_next_run_file(Database& db, std::int64_t run, const std::string& text, int epochs) {
  db.run("UPDATE runs SET next_run_file = ?2, config = ?2, epochs = ?3 WHERE run = ?1", run, text,
         epochs);
}

void requeue_run(Database& db, const RunRow& run, const std::string& reason,
                 bool accept_changed_data) {
  refuse_name_in_use(db, run.name);
  const std::int64_t position = end_of_queue(db);
  db.run(
      "UPDATE runs SET state = 'queued', reason = ?2, finished_micros = 0, queue_position = ?3, "
      "accept_changed_data = ?4, end_reason = '' WHERE run = ?1",
      run.run, reason, position, accept_changed_data);
}

void set_run_started(Database& db, std::int64_t run, const RunStarted& started,
                     std::int64_t now_micros) {
  db.run(
      "UPDATE runs SET device = ?2, device_name = ?3, device_reason = ?4, parameters = ?5, "
      "train_examples = ?6, valid_examples = ?7, skipped_lines = ?8, source_vocabulary = ?9, "
      "target_vocabulary = ?10, batches_per_epoch = ?11, epochs = ?12, corpus_fingerprint = ?13, "
      "resumed_step = ?14, resumed_from = ?15, next_run_file = '', "
      "config = CASE ?17 WHEN '' THEN config ELSE ?17 END, "
      "started_micros = CASE started_micros WHEN 0 THEN ?16 ELSE started_micros END "
      "WHERE run = ?1",
      run, started.device, started.device_name, started.device_reason, started.parameters,
      started.train_examples, started.valid_examples, started.skipped_lines,
      started.source_vocabulary, started.target_vocabulary, started.batches_per_epoch,
      started.epochs, started.corpus_fingerprint, started.resumed_step, started.resumed_from,
      now_micros, started.config);
}

void set_run_position(Database& db, std::int64_t run, int epoch, std::int64_t step,
                      double trained_seconds) {
  db.run("UPDATE runs SET epoch = ?2, step = ?3, trained_seconds = ?4 WHERE run = ?1", run, epoch,
         step, trained_seconds);
}

void count_restart(Database& db, std::int64_t run) {
  db.run("UPDATE runs SET restarts = restarts + 1 WHERE run = ?1", run);
}

}  // namespace traind
