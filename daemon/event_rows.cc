#include "daemon/event_rows.h"

#include <algorithm>

namespace traind {

void put_event(Database& db, std::int64_t run, std::int64_t time_micros, const std::string& kind,
               const std::string& key, const std::string& text, const std::string& payload) {
  db.run(
      "INSERT INTO events (run, time_micros, kind, key, text, payload) "
      "VALUES (?1, ?2, ?3, nullif(?4, ''), ?5, ?6) ON CONFLICT (run, kind, key) DO NOTHING",
      run, time_micros, kind, key, text, Blob{payload});
}

std::vector<EventRow> events_after(Database& db, std::int64_t run, std::int64_t sequence,
                                   int limit) {
  std::vector<EventRow> events;
  Query row = db.query(
      "SELECT sequence, time_micros, payload FROM events WHERE run = ?1 AND sequence > ?2 "
      "ORDER BY sequence LIMIT ?3",
      run, sequence, limit);
  while (row.next()) events.push_back({row.integer(0), row.integer(1), row.blob(2)});
  return events;
}

std::vector<EventRow> newest_events(Database& db, std::int64_t run, const std::string& kind,
                                    int limit) {
  std::vector<EventRow> events;
  Query row = db.query(
      "SELECT sequence, time_micros, payload FROM events WHERE run = ?1 AND kind = ?2 "
      "ORDER BY sequence DESC LIMIT ?3",
      run, kind, limit);
  while (row.next()) events.push_back({row.integer(0), row.integer(1), row.blob(2)});
  std::reverse(events.begin(), events.end());
  return events;
}

std::int64_t last_sequence(Database& db, std::int64_t run) {
  Query row = db.query("SELECT coalesce(max(sequence), 0) FROM events WHERE run = ?1", run);
  row.next();
  return row.integer(0);
}

}  // namespace traind
