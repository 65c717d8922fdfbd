#include "daemon/run_ledger.h"

#include <algorithm>
#include <utility>

#include "daemon/history.h"
#include "daemon/training_rows.h"
#include "model/base/clock.h"

namespace traind {
namespace {

constexpr std::size_t kMostPending = 10'000;
constexpr std::chrono::seconds kLatest{1};
constexpr const char* kGoesOn = "Training goes on.";

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

// People and watchers wait for these; rows and checkpoints can be a moment late.
bool is_important(const Event& event) {
  return !std::holds_alternative<MetricRow>(event) &&
         !std::holds_alternative<CheckpointSaved>(event) &&
         !std::holds_alternative<CheckpointPruned>(event);
}

// What the worker need not tell again. An epoch's own row ends at the same step as the epoch, so
// a row alone says only that everything before it is stored.
std::int64_t told_by(const Event& event) {
  if (const auto* row = std::get_if<MetricRow>(&event)) return row->step - 1;
  if (const auto* epoch = std::get_if<EpochDone>(&event)) return epoch->step;
  return -1;
}

// The topic of a notice that deserves a mail; empty = it can wait until somebody looks.
std::string warning_topic(const Notice& notice) {
  switch (notice.kind) {
    case ErrorKind::kCorrupt:
      return "damaged";
    case ErrorKind::kIo:
    case ErrorKind::kNoSpace:
      return "disk";
    default:
      return "";
  }
}

// What a worker tells of its start, into what is known of the run.
void merge(const RunStarted& started, RunRow& run) {
  const RunStarted before = std::move(run.started);
  run.started = started;
  if (started.config.empty()) run.started.config = before.config;
  // The worker knows a file in its own folder; people know the run that they named.
  if (!before.started_from.empty()) run.started.started_from = before.started_from;
  run.epochs = started.epochs;
  run.next_run_file.clear();
}

}  // namespace

RunLedger::RunLedger(Store& store, const MailDesk& desk, RunRow run)
    : store_(store), desk_(desk), run_(std::move(run)) {}

void RunLedger::take(Event event) {
  const Clock::time_point now = Clock::now();
  due_ = is_important(event) ? now : std::min(due_, now + kLatest);
  pending_.push_back(std::move(event));
}

bool RunLedger::full() const { return pending_.size() >= kMostPending; }

void RunLedger::commit(const More& more) {
  if (pending_.empty() && !more) return;
  const std::int64_t now_micros = unix_micros();
  RunRow run = run_;
  store_.write([&](Database& db) {
    for (const Event& event : pending_) write(db, run, event, now_micros);
    set_run_position(db, run.run, run.epoch, run.step, run.trained_seconds);
    if (more) more(db, run);
  });
  for (const Event& event : pending_) stored_step_ = std::max(stored_step_, told_by(event));
  run_ = std::move(run);
  pending_.clear();
  due_ = Clock::time_point::max();
}

void RunLedger::warn(const Notice& notice, const std::string& topic, const std::string& what_next) {
  const std::int64_t now_micros = unix_micros();
  commit([&](Database& db, RunRow& run) {
    note(db, run.run, notice, now_micros);
    if (!topic.empty()) put_warning(db, run, notice, topic, what_next, now_micros);
  });
}

void RunLedger::put_warning(Database& db, const RunRow& run, const Notice& notice,
                            const std::string& topic, const std::string& what_next,
                            std::int64_t now_micros) const {
  desk_.put(db, run,
            {.kind = ReportKind::kWarning,
             .key = topic,
             .reason = notice.text,
             .what_next = what_next,
             .log_tail = {}},
            now_micros);
}

void RunLedger::write(Database& db, RunRow& run, const Event& event,
                      std::int64_t now_micros) const {
  const auto moved_to = [&](int epoch, std::int64_t step, double trained_seconds) {
    if (epoch == 0) return;  // stopped before it had begun, a worker knows nothing of it
    run.epoch = epoch;
    run.step = step;
    run.trained_seconds = trained_seconds;
  };
  std::visit(
      Overloaded{
          [&](const RunStarted& started) {
            merge(started, run);
            if (run.started_micros == 0) run.started_micros = now_micros;
            set_run_started(db, run.run, run.started, now_micros);
            note(db, run.run, run.started, now_micros);
            desk_.put(db, run,
                      {.kind = ReportKind::kStart,
                       .key = "start-" + std::to_string(run.queue_position),
                       .reason = {},
                       .what_next = {},
                       .log_tail = {}},
                      now_micros);
          },
          [&](const MetricRow& row) {
            put_metric(db, run.run, row, now_micros);
            note(db, run.run, row, now_micros);
            moved_to(row.epoch, row.step, row.trained_seconds);
          },
          [&](const EpochDone& epoch) {
            put_epoch(db, run.run, epoch, now_micros);
            note(db, run.run, epoch, now_micros);
            // One whose checkpoint could not be saved at once is told later than rows after it.
            if (epoch.step >= run.step) {
              moved_to(epoch.epoch, epoch.step, epoch.trained_seconds);
            }
            desk_.put(db, run,
                      {.kind = ReportKind::kEpoch,
                       .key = "epoch-" + std::to_string(epoch.epoch),
                       .reason = {},
                       .what_next = {},
                       .log_tail = {},
                       .seconds_left = seconds_left_},
                      now_micros);
          },
          [&](const CheckpointSaved& checkpoint) {
            put_checkpoint(db, run.run, checkpoint, now_micros);
            note(db, run.run, checkpoint, now_micros);
          },
          [&](const SettingChanged& change) { note(db, run.run, change, now_micros); },
          [&](const CheckpointPruned& pruned) {
            mark_pruned(db, run.run, pruned.file, now_micros);
          },
          [&](const Notice& notice) {
            note(db, run.run, notice, now_micros);
            const std::string topic = warning_topic(notice);
            if (topic.empty()) return;
            put_warning(db, run, notice, topic,
                        topic == "disk" ? "Nothing that was reported as done is lost." : kGoesOn,
                        now_micros);
          },
          [&](const RunEnded& ended) { moved_to(ended.epoch, ended.step, ended.trained_seconds); },
          [](const RunFailed&) {}, [](const Progress&) {}, [](const CheckpointLoading&) {}},
      event);
}

}  // namespace traind
