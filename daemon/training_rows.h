// What training leaves in the database: metric rows, epochs with their samples, checkpoints.
//
// Functions on a connection; the caller holds its transaction. Writing the same row again changes
// it in place: after a resume a worker tells again what it had told. Throw what Database throws.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/sqlite.h"
#include "model/train/events.h"

namespace traind {

struct CheckpointRow {
  CheckpointSaved saved;
  std::int64_t saved_micros = 0;
};

void put_metric(Database& db, std::int64_t run, const MetricRow& row, std::int64_t now_micros);
void put_epoch(Database& db, std::int64_t run, const EpochDone& epoch, std::int64_t now_micros);
void put_checkpoint(Database& db, std::int64_t run, const CheckpointSaved& checkpoint,
                    std::int64_t now_micros);
// `now_micros` 0: the file is there again.
void mark_pruned(Database& db, std::int64_t run, const std::string& file, std::int64_t now_micros);

// By step, those above `after_step`, at most `limit`.
std::vector<MetricRow> metrics_after(Database& db, std::int64_t run, std::int64_t after_step,
                                     int limit);
// All of one epoch, by step.
std::vector<MetricRow> metrics_of_epoch(Database& db, std::int64_t run, int epoch);
std::optional<MetricRow> newest_metric(Database& db, std::int64_t run);
// All of a run, with samples.
std::vector<EpochDone> epochs_of(Database& db, std::int64_t run);
// Without samples.
std::optional<EpochDone> newest_epoch(Database& db, std::int64_t run);
// Those not pruned, newest first.
std::vector<CheckpointRow> checkpoints_of(Database& db, std::int64_t run);

const char* name_of(CheckpointReason reason) noexcept;

}  // namespace traind
