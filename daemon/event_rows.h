// A run's history in the database: events with a strictly growing sequence number.
//
// Functions on a connection; the caller holds its transaction. Throw what Database throws.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/sqlite.h"

namespace traind {

struct EventRow {
  std::int64_t sequence = 0;
  std::int64_t time_micros = 0;
  std::string payload;  // traind.v1.WatchRunResponse without sequence and time
};

// Appends, unless the run already has an event of this kind with this key (a worker tells things
// again after a resume). An empty key never matches another.
void put_event(Database& db, std::int64_t run, std::int64_t time_micros, const std::string& kind,
               const std::string& key, const std::string& text, const std::string& payload);

// Those after `sequence`, in order.
std::vector<EventRow> events_after(Database& db, std::int64_t run, std::int64_t sequence,
                                   int limit);
// The newest `limit` of a kind, in order.
std::vector<EventRow> newest_events(Database& db, std::int64_t run, const std::string& kind,
                                    int limit);
// 0 = the run has none.
std::int64_t last_sequence(Database& db, std::int64_t run);

}  // namespace traind
