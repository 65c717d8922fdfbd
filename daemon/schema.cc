#include "daemon/schema.h"

#include <array>
#include <string>

#include "model/base/error.h"

namespace traind {
namespace {

// "trnd": says whose file it is, also to file(1).
constexpr int kApplicationId = 0x74726e64;

constexpr const char* kVersion1 = R"sql(
CREATE TABLE runs (
  run INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'starting', 'running', 'stopping', 'stopped',
                                       'preempted', 'stalled', 'failed', 'completed')),
  reason TEXT NOT NULL CHECK (reason <> ''),
  request_id TEXT UNIQUE,
  queue_position INTEGER NOT NULL,
  accept_changed_data INTEGER NOT NULL DEFAULT 0,
  restarts INTEGER NOT NULL DEFAULT 0,
  created_micros INTEGER NOT NULL,
  started_micros INTEGER NOT NULL DEFAULT 0,
  finished_micros INTEGER NOT NULL DEFAULT 0,
  config TEXT NOT NULL,
  epochs INTEGER NOT NULL,
  epoch INTEGER NOT NULL DEFAULT 0,
  step INTEGER NOT NULL DEFAULT 0,
  trained_seconds REAL NOT NULL DEFAULT 0,
  train_examples INTEGER NOT NULL DEFAULT 0,
  valid_examples INTEGER NOT NULL DEFAULT 0,
  skipped_lines INTEGER NOT NULL DEFAULT 0,
  device TEXT NOT NULL DEFAULT '',
  device_name TEXT NOT NULL DEFAULT '',
  device_reason TEXT NOT NULL DEFAULT '',
  parameters INTEGER NOT NULL DEFAULT 0,
  source_vocabulary INTEGER NOT NULL DEFAULT 0,
  target_vocabulary INTEGER NOT NULL DEFAULT 0,
  batches_per_epoch INTEGER NOT NULL DEFAULT 0,
  corpus_fingerprint TEXT NOT NULL DEFAULT '',
  resumed_step INTEGER NOT NULL DEFAULT -1,
  resumed_from TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX runs_unfinished_name ON runs (name)
  WHERE state NOT IN ('stopped', 'failed', 'completed');
CREATE INDEX runs_name ON runs (name);

CREATE TABLE metrics (
  run INTEGER NOT NULL REFERENCES runs (run),
  step INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  batch INTEGER NOT NULL,
  batches_per_epoch INTEGER NOT NULL,
  inputs INTEGER NOT NULL,
  loss REAL,
  accuracy REAL,
  valid_loss REAL,
  gradient_norm REAL,
  learning_rate REAL,
  examples_per_second REAL,
  tokens_per_second REAL,
  trained_seconds REAL,
  stored_micros INTEGER NOT NULL,
  PRIMARY KEY (run, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE epochs (
  run INTEGER NOT NULL REFERENCES runs (run),
  epoch INTEGER NOT NULL,
  epochs INTEGER NOT NULL,
  step INTEGER NOT NULL,
  train_loss REAL,
  valid_loss REAL,
  examples INTEGER NOT NULL,
  exact REAL,
  character_accuracy REAL,
  corrupted INTEGER NOT NULL,
  correction REAL,
  copy_exact REAL,
  copy_character_accuracy REAL,
  best INTEGER NOT NULL,
  learning_rate REAL,
  digest TEXT NOT NULL,
  epoch_seconds REAL,
  trained_seconds REAL,
  examples_per_second REAL,
  tokens_per_second REAL,
  stored_micros INTEGER NOT NULL,
  PRIMARY KEY (run, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE samples (
  run INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  position INTEGER NOT NULL,
  source TEXT NOT NULL,
  target TEXT NOT NULL,
  output TEXT NOT NULL,
  PRIMARY KEY (run, epoch, position),
  FOREIGN KEY (run, epoch) REFERENCES epochs (run, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
  run INTEGER NOT NULL REFERENCES runs (run),
  file TEXT NOT NULL,
  step INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  reason TEXT NOT NULL CHECK (reason IN ('interval', 'epoch', 'stop', 'request')),
  bytes INTEGER NOT NULL,
  digest TEXT NOT NULL,
  best INTEGER NOT NULL,
  stall_seconds REAL,
  write_seconds REAL,
  saved_micros INTEGER NOT NULL,
  pruned_micros INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (run, file)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL REFERENCES runs (run),
  time_micros INTEGER NOT NULL,
  kind TEXT NOT NULL,
  key TEXT,
  text TEXT NOT NULL,
  payload BLOB NOT NULL,
  UNIQUE (run, kind, key)
) STRICT;
CREATE INDEX events_run ON events (run, sequence);

CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER REFERENCES runs (run),
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  recipient TEXT NOT NULL,
  subject TEXT NOT NULL,
  file_stem TEXT NOT NULL,
  message BLOB,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'dead')) DEFAULT 'waiting',
  attempts INTEGER NOT NULL DEFAULT 0,
  last_error TEXT NOT NULL DEFAULT '',
  created_micros INTEGER NOT NULL,
  give_up_micros INTEGER NOT NULL,
  next_attempt_micros INTEGER NOT NULL,
  sent_micros INTEGER NOT NULL DEFAULT 0,
  UNIQUE (run, key, recipient)
) STRICT;
CREATE INDEX outbox_unsent ON outbox (state, id) WHERE state <> 'sent';

CREATE VIEW run_list AS
  SELECT id, name, state, reason, epoch, epochs, step, restarts,
         datetime(created_micros / 1000000, 'unixepoch') AS created,
         CASE WHEN started_micros > 0
              THEN datetime(started_micros / 1000000, 'unixepoch') END AS started,
         CASE WHEN finished_micros > 0
              THEN datetime(finished_micros / 1000000, 'unixepoch') END AS finished,
         round(trained_seconds, 1) AS trained_seconds, device
  FROM runs ORDER BY run DESC;
CREATE VIEW metric_list AS
  SELECT runs.name, runs.id, metrics.* FROM metrics JOIN runs USING (run);
CREATE VIEW epoch_list AS
  SELECT runs.name, runs.id, epochs.*,
         datetime(stored_micros / 1000000, 'unixepoch') AS stored
  FROM epochs JOIN runs USING (run);
CREATE VIEW event_list AS
  SELECT sequence, datetime(time_micros / 1000000, 'unixepoch') AS time, runs.name, kind, text
  FROM events JOIN runs USING (run) ORDER BY sequence;
CREATE VIEW mail_list AS
  SELECT outbox.id, runs.name, kind, recipient, subject, outbox.state, attempts, last_error,
         datetime(outbox.created_micros / 1000000, 'unixepoch') AS created
  FROM outbox LEFT JOIN runs USING (run) ORDER BY outbox.id DESC;
)sql";

constexpr const char* kVersion2 = R"sql(
ALTER TABLE metrics ADD COLUMN gpu_utilisation REAL;
ALTER TABLE metrics ADD COLUMN gpu_memory_bytes REAL;
ALTER TABLE metrics ADD COLUMN gpu_memory_total_bytes REAL;
ALTER TABLE metrics ADD COLUMN gpu_celsius REAL;
ALTER TABLE metrics ADD COLUMN gpu_watts REAL;
)sql";

constexpr const char* kVersion3 = R"sql(
ALTER TABLE epochs ADD COLUMN character_error_rate REAL;
ALTER TABLE epochs ADD COLUMN word_error_rate REAL;
ALTER TABLE epochs ADD COLUMN bleu REAL;
ALTER TABLE epochs ADD COLUMN bleu_signature TEXT NOT NULL DEFAULT '';
ALTER TABLE epochs ADD COLUMN measure TEXT NOT NULL DEFAULT 'loss';
ALTER TABLE runs ADD COLUMN started_from TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN end_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN next_run_file TEXT NOT NULL DEFAULT '';
UPDATE runs SET end_reason = 'all_epochs' WHERE state = 'completed';
)sql";

// SQLite changes no CHECK in place, so the table is written anew. Of a mail that was tried and is
// not sent nobody wrote down whether it may have arrived.
constexpr const char* kVersion4 = R"sql(
DROP VIEW mail_list;
CREATE TABLE new_outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER REFERENCES runs (run),
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  recipient TEXT NOT NULL,
  subject TEXT NOT NULL,
  file_stem TEXT NOT NULL,
  message BLOB,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'folded', 'dead')) DEFAULT 'waiting',
  place INTEGER NOT NULL,
  folded_into INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0,
  last_error TEXT NOT NULL DEFAULT '',
  perhaps_sent INTEGER NOT NULL DEFAULT 0,
  tried_from_micros INTEGER NOT NULL DEFAULT 0,
  created_micros INTEGER NOT NULL,
  next_attempt_micros INTEGER NOT NULL,
  sent_micros INTEGER NOT NULL DEFAULT 0,
  CHECK ((state = 'folded') = (folded_into IS NOT NULL)),
  UNIQUE (run, key, recipient)
) STRICT;
INSERT INTO new_outbox (id, run, kind, key, recipient, subject, file_stem, message, state, place,
                        attempts, last_error, perhaps_sent, created_micros, next_attempt_micros,
                        sent_micros)
  SELECT id, run, kind, key, recipient, subject, file_stem, message, state, id,
         attempts, last_error, state <> 'sent' AND attempts > 0, created_micros,
         next_attempt_micros, sent_micros
  FROM outbox ORDER BY id;
DROP TABLE outbox;
ALTER TABLE new_outbox RENAME TO outbox;
CREATE TABLE mail_clock (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  tried_micros INTEGER NOT NULL
) STRICT;
INSERT INTO mail_clock VALUES (1, 0);
CREATE INDEX outbox_state ON outbox (state, place);
CREATE INDEX outbox_folded ON outbox (folded_into) WHERE folded_into IS NOT NULL;
CREATE VIEW mail_list AS
  SELECT outbox.id, runs.name, kind, recipient, subject, outbox.state, attempts, last_error,
         folded_into, datetime(outbox.created_micros / 1000000, 'unixepoch') AS created
  FROM outbox LEFT JOIN runs USING (run) ORDER BY outbox.id DESC;
)sql";

constexpr std::array kMigrations = {Migration{1, kVersion1}, Migration{2, kVersion2},
                                    Migration{3, kVersion3}, Migration{4, kVersion4}};

std::int64_t pragma(Database& db, const char* sql) {
  Query query = db.query(sql);
  return query.next() ? query.integer(0) : 0;
}

// kConfig, so that systemd does not start us again and again: only a person can mend it.
void refuse_above(const std::string& path, std::int64_t found, int newest) {
  if (found <= newest) return;
  throw Error(ErrorKind::kConfig, path + ": the database has version " + std::to_string(found) +
                                      ", written by a newer traind; this "
                                      "one knows versions up to " +
                                      std::to_string(newest) +
                                      ". Install the newer traind, or choose another state "
                                      "folder");
}

}  // namespace

std::span<const Migration> migrations() noexcept { return kMigrations; }

void migrate(Database& db, std::span<const Migration> steps) {
  const std::int64_t owner = pragma(db, "PRAGMA application_id");
  const std::int64_t found = pragma(db, "PRAGMA user_version");
  const std::int64_t tables = pragma(db, "SELECT count(*) FROM sqlite_schema");
  if (owner != kApplicationId && (owner != 0 || found != 0 || tables != 0)) {
    throw Error(ErrorKind::kCorrupt, db.path() +
                                         ": this is not a database of traind; move it "
                                         "away or choose another state folder");
  }
  refuse_above(db.path(), found, steps.back().version);
  for (const Migration& step : steps) {
    if (step.version <= found) continue;
    Transaction transaction(db, DatabaseAccess::kWrite);
    db.script("PRAGMA application_id = " + std::to_string(kApplicationId));
    db.script(step.sql);
    db.script("PRAGMA user_version = " + std::to_string(step.version));
    transaction.commit();
  }
}

void refuse_newer(const std::string& path) {
  std::int64_t owner = 0;
  std::int64_t found = 0;
  try {
    Database db(path, DatabaseAccess::kReadOnly);
    owner = pragma(db, "PRAGMA application_id");
    found = pragma(db, "PRAGMA user_version");
  } catch (const Error&) {
    return;  // what is wrong with it the writer will say, or mend
  }
  if (owner == kApplicationId) refuse_above(path, found, migrations().back().version);
}

}  // namespace traind
