// Reads runs' histories for all their watchers: those at the same place share one read and one
// copy, so that a new event costs one read of the database, however many wait for it.
//
// The pump's thread alone. Waits for a read of the database and nothing else; throws what Store
// throws, and Error(kCorrupt) for an event that cannot be read.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "daemon/store.h"
#include "traind/v1/training.pb.h"

namespace traind {

// What follows a place in a run's history; never changes.
struct EventPage {
  std::vector<v1::WatchRunResponse> events;  // a few dozen at most; empty = nothing yet
  bool run_finished = false;                 // known when `events` is empty: nothing will come
};

class EventPages {
 public:
  explicit EventPages(const Store& store) : store_(store) {}

  // The events of a run after a sequence number, in order.
  std::shared_ptr<const EventPage> after(std::int64_t run, std::int64_t sequence);
  // Whether nothing more will come of the run.
  bool run_finished(std::int64_t run);

 private:
  struct Kept {
    std::int64_t run;
    std::int64_t sequence;
    std::uint64_t changes;  // of the store, before the page was read
    std::shared_ptr<const EventPage> page;
  };
  std::shared_ptr<const EventPage> read(std::int64_t run, std::int64_t sequence) const;

  const Store& store_;
  std::deque<Kept> kept_;  // newest first; a few
};

}  // namespace traind
