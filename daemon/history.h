// What a run's history keeps of an event: its kind, the key that makes it one, a sentence for
// people, and the message that watchers get. Pure functions; safe on any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/run_state.h"
#include "daemon/sqlite.h"
#include "model/train/events.h"

namespace traind {

// Each appends one event to the run's history (event_rows.h); progress has none.
void note(Database& db, std::int64_t run, RunState state, const std::string& reason,
          std::int64_t now_micros);
void note(Database& db, std::int64_t run, const RunStarted& started, std::int64_t now_micros);
void note(Database& db, std::int64_t run, const MetricRow& row, std::int64_t now_micros);
void note(Database& db, std::int64_t run, const EpochDone& epoch, std::int64_t now_micros);
void note(Database& db, std::int64_t run, const CheckpointSaved& checkpoint,
          std::int64_t now_micros);
// Once, however often a worker tells the same change at the same step.
void note(Database& db, std::int64_t run, const SettingChanged& change, std::int64_t now_micros);
void note(Database& db, std::int64_t run, const Notice& notice, std::int64_t now_micros);

// The newest `limit` changes of settings that the history has, oldest first.
std::vector<SettingChanged> newest_changes(Database& db, std::int64_t run, int limit);

}  // namespace traind
