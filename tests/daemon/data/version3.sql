-- A database as version 3 left it. Frozen: a later traind must open it. Never edited.
PRAGMA application_id = 1953656420;
PRAGMA user_version = 3;
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
ALTER TABLE metrics ADD COLUMN gpu_utilisation REAL;
ALTER TABLE metrics ADD COLUMN gpu_memory_bytes REAL;
ALTER TABLE metrics ADD COLUMN gpu_memory_total_bytes REAL;
ALTER TABLE metrics ADD COLUMN gpu_celsius REAL;
ALTER TABLE metrics ADD COLUMN gpu_watts REAL;
ALTER TABLE epochs ADD COLUMN character_error_rate REAL;
ALTER TABLE epochs ADD COLUMN word_error_rate REAL;
ALTER TABLE epochs ADD COLUMN bleu REAL;
ALTER TABLE epochs ADD COLUMN bleu_signature TEXT NOT NULL DEFAULT '';
ALTER TABLE epochs ADD COLUMN measure TEXT NOT NULL DEFAULT 'loss';
ALTER TABLE runs ADD COLUMN started_from TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN end_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN next_run_file TEXT NOT NULL DEFAULT '';
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
INSERT INTO runs (run, id, name, state, reason, queue_position, created_micros, started_micros,
                  finished_micros, config, epochs, epoch, step, device_name)
VALUES (1, '01KAH2V0Q4N8S1TZJ6M5W3XQ9E', 'spelling', 'completed', 'all epochs are trained', 1,
        1795000000000000, 1795000001000000, 1795000100000000, 'name = "spelling"', 1, 1, 200,
        'A processor');
INSERT INTO outbox (id, run, kind, key, recipient, subject, file_stem, message, state, attempts,
                    last_error, created_micros, give_up_micros, next_attempt_micros, sent_micros)
VALUES (3, 1, 'start', 'start-1', 'a@b.example', 'started', 'spelling-start-1', NULL, 'sent', 1, '',
        1795000001000000, 1795259201000000, 1795000001000000, 1795000002000000),
       (4, NULL, 'test', 'test-01KAH2V0Q4N8S1TZJ6M5W3XQ9F', 'a@b.example', 'test', 'test',
        CAST('Subject: test' AS BLOB), 'dead', 1, '550 no', 1795000001000000, 1795259201000000,
        1795000001000000, 0),
       (7, 1, 'epoch', 'epoch-1', 'a@b.example', 'epoch 1', 'spelling-epoch-1',
        CAST('Subject: epoch 1' || char(13, 10, 13, 10) AS BLOB), 'waiting', 2, 'no answer in time',
        1795000003000000, 1795259203000000, 1795000004000000, 0),
       (12, 1, 'end', 'end-1', 'a@b.example', 'ended', 'spelling-end-1', CAST('Subject: ended' AS BLOB),
        'waiting', 0, '', 1795000005000000, 1795259205000000, 1795000005000000, 0);
