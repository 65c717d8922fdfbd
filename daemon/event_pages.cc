#include "daemon/event_pages.h"

#include <algorithm>
#include <limits>

#include "daemon/event_rows.h"
#include "daemon/run_rows.h"
#include "daemon/run_state.h"

namespace traind {
namespace {

// A watcher that stops reading keeps one page.
constexpr int kEventsInPage = 32;
// Places where watchers are at one time: at the end of the runs that train, and a few on the way.
constexpr std::size_t kMostKept = 16;
// After every event: such a page has none, and tells whether the run is finished.
constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();

bool finished(Database& db, std::int64_t run) {
  const auto row = run_by_number(db, run);
  return !row || is_finished(row->state);
}

}  // namespace

std::shared_ptr<const EventPage> EventPages::after(std::int64_t run, std::int64_t sequence) {
  const auto found = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) {
    return kept.run == run && kept.sequence == sequence;
  });
  // What has begun to be there stays as it is; only what was not there may have come.
  if (found != kept_.end() &&
      (store_.unchanged_since(found->changes) || !found->page->events.empty())) {
    return found->page;
  }
  if (found != kept_.end()) kept_.erase(found);
  const std::uint64_t changes = store_.changes();
  kept_.push_front({run, sequence, changes, read(run, sequence)});
  if (kept_.size() > kMostKept) kept_.pop_back();
  return kept_.front().page;
}

bool EventPages::run_finished(std::int64_t run) { return after(run, kEnd)->run_finished; }

std::shared_ptr<const EventPage> EventPages::read(std::int64_t run, std::int64_t sequence) const {
  auto page = std::make_shared<EventPage>();
  store_.read([&](Database& db) {
    for (const EventRow& row : events_after(db, run, sequence, kEventsInPage)) {
      v1::WatchRunResponse& event = page->events.emplace_back();
      if (!event.ParseFromString(row.payload)) {
        throw Error(ErrorKind::kCorrupt,
                    store_.path() + ": event " + std::to_string(row.sequence) + " cannot be read");
      }
      event.set_sequence(row.sequence);
      event.set_time_micros(row.time_micros);
    }
    page->run_finished = page->events.empty() && finished(db, run);
  });
  return page;
}

}  // namespace traind
