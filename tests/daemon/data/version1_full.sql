-- A database as version 1 left it, with rows in every table. Frozen: a later traind must open it
-- and keep every row. Never edited.
PRAGMA application_id = 1953656420;
PRAGMA user_version = 1;
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
INSERT INTO runs VALUES (1, '01KAH2V0Q4N8S1TZJ6M5W3XQ9E', 'spelling', 'completed',
  'all epochs are trained', 'request-1', 1, 0, 0, 1795000000000001, 1795000000000011,
  1795000100000000, 'name = "spelling"' || char(10) || '', 2, 2, 200, 40.5, 1000, 100, 2, 'cpu',
  'A processor', 'no GPU', 77, 30, 31, 200, '0123456789abcdef', -1, '');
INSERT INTO runs VALUES (2, '01KAH2V0Q4N8S1TZJ6M5W3XQ9F', 'resume-2', 'running', 'training',
  'request-2', 2, 0, 1, 1795000000000002, 1795000000000012, 0,
  'name = "resume-2"' || char(10) || '', 2, 1, 400, 40.5, 1000, 100, 2, 'cpu', 'A processor',
  'no GPU', 77, 30, 31, 200, '0123456789abcdef', 100, 'checkpoint-000000000100.safetensors');
INSERT INTO runs VALUES (3, '01KAH2V0Q4N8S1TZJ6M5W3XQ9G', 'third', 'failed', 'io: the disk failed',
  NULL, 3, 1, 2, 1795000000000003, 1795000000000013, 1795000100000000,
  'name = "third"' || char(10) || '', 2, 1, 600, 40.5, 1000, 100, 2, 'cpu', 'A processor',
  'no GPU', 77, 30, 31, 200, '0123456789abcdef', 100, 'checkpoint-000000000100.safetensors');
INSERT INTO metrics VALUES (1, 100, 1, 100, 200, 800, 2.0, 0.5, 1.9, 1.25, 0.001, 90.5, 900.25,
  10.0, 1795000000000100);
INSERT INTO metrics VALUES (1, 200, 1, 200, 200, 1600, 1.0, 0.6, NULL, 1.25, 0.001, 90.5, 900.25,
  20.0, 1795000000000200);
INSERT INTO metrics VALUES (2, 100, 1, 100, 200, 800, 2.0, 0.5, 1.9, 1.25, 0.001, 90.5, 900.25,
  10.0, 1795000000000100);
INSERT INTO metrics VALUES (2, 200, 1, 200, 200, 1600, 1.0, 0.6, NULL, 1.25, 0.001, 90.5, 900.25,
  20.0, 1795000000000200);
INSERT INTO metrics VALUES (3, 100, 1, 100, 200, 800, 2.0, 0.5, 1.9, 1.25, 0.001, 90.5, 900.25,
  10.0, 1795000000000100);
INSERT INTO metrics VALUES (3, 200, 1, 200, 200, 1600, 1.0, 0.6, NULL, 1.25, 0.001, 90.5, 900.25,
  20.0, 1795000000000200);
INSERT INTO epochs VALUES (1, 1, 2, 200, 1.5, 1.25, 100, 0.4, 0.9, 80, 0.3, 0.2, 0.85, 0, 0.001,
  '00112233aabbccdd', 20.0, 20.0, 90.0, 900.0, 1795000000000001);
INSERT INTO epochs VALUES (1, 2, 2, 400, 1.5, 1.25, 100, 0.4, 0.9, 80, 0.3, 0.2, 0.85, 1, 0.001,
  '00112233aabbccdd', 20.0, 40.0, 90.0, 900.0, 1795000000000002);
INSERT INTO epochs VALUES (2, 1, 2, 200, 1.5, 1.25, 100, 0.4, 0.9, 80, 0.3, 0.2, 0.85, 0, 0.001,
  '00112233aabbccdd', 20.0, 20.0, 90.0, 900.0, 1795000000000001);
INSERT INTO epochs VALUES (2, 2, 2, 400, 1.5, 1.25, 100, 0.4, 0.9, 80, 0.3, 0.2, 0.85, 1, 0.001,
  '00112233aabbccdd', 20.0, 40.0, 90.0, 900.0, 1795000000000002);
INSERT INTO epochs VALUES (3, 1, 2, 200, 1.5, 1.25, 100, 0.4, 0.9, 80, 0.3, 0.2, 0.85, 0, 0.001,
  '00112233aabbccdd', 20.0, 20.0, 90.0, 900.0, 1795000000000001);
INSERT INTO epochs VALUES (3, 2, 2, 400, 1.5, 1.25, 100, 0.4, 0.9, 80, 0.3, 0.2, 0.85, 1, 0.001,
  '00112233aabbccdd', 20.0, 40.0, 90.0, 900.0, 1795000000000002);
INSERT INTO samples VALUES (1, 1, 1, 'teh', 'the', 'the');
INSERT INTO samples VALUES (1, 1, 2, 'teh', 'the', 'té');
INSERT INTO samples VALUES (1, 2, 1, 'teh', 'the', 'the');
INSERT INTO samples VALUES (1, 2, 2, 'teh', 'the', 'té');
INSERT INTO samples VALUES (2, 1, 1, 'teh', 'the', 'the');
INSERT INTO samples VALUES (2, 1, 2, 'teh', 'the', 'té');
INSERT INTO samples VALUES (2, 2, 1, 'teh', 'the', 'the');
INSERT INTO samples VALUES (2, 2, 2, 'teh', 'the', 'té');
INSERT INTO samples VALUES (3, 1, 1, 'teh', 'the', 'the');
INSERT INTO samples VALUES (3, 1, 2, 'teh', 'the', 'té');
INSERT INTO samples VALUES (3, 2, 1, 'teh', 'the', 'the');
INSERT INTO samples VALUES (3, 2, 2, 'teh', 'the', 'té');
INSERT INTO checkpoints VALUES (1, 'checkpoint-000000000100.safetensors', 100, 1, 'interval', 1000,
  '00112233aabbccdd', 0, 0.001, 0.1, 1795000000000100, 1795000000000300);
INSERT INTO checkpoints VALUES (1, 'checkpoint-000000000200.safetensors', 200, 1, 'epoch', 1000,
  '00112233aabbccdd', 1, 0.001, 0.1, 1795000000000200, 0);
INSERT INTO checkpoints VALUES (2, 'checkpoint-000000000100.safetensors', 100, 1, 'interval', 1000,
  '00112233aabbccdd', 0, 0.001, 0.1, 1795000000000100, 1795000000000300);
INSERT INTO checkpoints VALUES (2, 'checkpoint-000000000200.safetensors', 200, 1, 'epoch', 1000,
  '00112233aabbccdd', 1, 0.001, 0.1, 1795000000000200, 0);
INSERT INTO checkpoints VALUES (3, 'checkpoint-000000000100.safetensors', 100, 1, 'interval', 1000,
  '00112233aabbccdd', 0, 0.001, 0.1, 1795000000000100, 1795000000000300);
INSERT INTO checkpoints VALUES (3, 'checkpoint-000000000200.safetensors', 200, 1, 'epoch', 1000,
  '00112233aabbccdd', 1, 0.001, 0.1, 1795000000000200, 0);
INSERT INTO events VALUES (1, 1, 1795000000000001, 'state', NULL, 'queued: waits', x'');
INSERT INTO events VALUES (2, 1, 1795000000000001, 'notice', NULL, 'note', x'0a02696f12046e6f7465');
INSERT INTO events VALUES (3, 1, 1795000000000001, 'metric', '100', 'step 100', x'0864');
INSERT INTO events VALUES (4, 2, 1795000000000002, 'state', NULL, 'queued: waits', x'');
INSERT INTO events VALUES (5, 2, 1795000000000002, 'notice', NULL, 'note', x'0a02696f12046e6f7465');
INSERT INTO events VALUES (6, 2, 1795000000000002, 'metric', '100', 'step 100', x'0864');
INSERT INTO events VALUES (7, 3, 1795000000000003, 'state', NULL, 'queued: waits', x'');
INSERT INTO events VALUES (8, 3, 1795000000000003, 'notice', NULL, 'note', x'0a02696f12046e6f7465');
INSERT INTO events VALUES (9, 3, 1795000000000003, 'metric', '100', 'step 100', x'0864');
INSERT INTO outbox VALUES (3, 1, 'start', 'start-1', 'owner@localhost', '[traind] start',
  'spelling-start-1', NULL, 'sent', 1, '', 1795000000000003, 1796000000000000, 1795000000000006,
  1795000000000009);
INSERT INTO outbox VALUES (4, NULL, 'test', 'test-1', 'owner@localhost', '[traind] test',
  'spelling-test-1', x'5375626a6563743a20780d0a0d0a626f64790d0a', 'dead', 1, '550 no',
  1795000000000004, 1796000000000000, 1795000000000008, 0);
INSERT INTO outbox VALUES (7, 1, 'epoch', 'epoch-1', 'owner@localhost', '[traind] epoch',
  'spelling-epoch-1', x'5375626a6563743a20780d0a0d0a626f64790d0a', 'waiting', 2, '',
  1795000000000007, 1796000000000000, 1795000000000014, 0);
INSERT INTO outbox VALUES (9, 2, 'epoch', 'epoch-1', 'owner@localhost', '[traind] epoch',
  'spelling-epoch-1', x'5375626a6563743a20780d0a0d0a626f64790d0a', 'waiting', 0, '',
  1795000000000009, 1796000000000000, 1795000000000018, 0);
CREATE UNIQUE INDEX runs_unfinished_name ON runs (name)
  WHERE state NOT IN ('stopped', 'failed', 'completed');
CREATE INDEX runs_name ON runs (name);
CREATE INDEX events_run ON events (run, sequence);
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
