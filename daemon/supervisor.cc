#include "daemon/supervisor.h"

#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <vector>

#include "daemon/history.h"
#include "daemon/logging.h"
#include "model/base/clock.h"
#include "model/base/files.h"

namespace traind {
namespace {

using Clock = ActiveRun::Clock;

constexpr std::chrono::milliseconds kLongestTurn{1000};
// Beyond the worker's own time to stop: for a database that refuses the last word.
constexpr std::chrono::seconds kFarewell{5};
constexpr std::chrono::seconds kBetweenLooks{10};
constexpr std::uint64_t kLongestRunFile = std::uint64_t{1} << 20;

[[noreturn]] void refuse_completed(const RunRow& run) {
  const std::string begin_anew =
      "`trainctl start RUN.toml --from " + run.name + "` begins a new run from its weights";
  if (run.end_reason && *run.end_reason != EndReason::kAllEpochs) {
    throw Error(ErrorKind::kState, "run " + run.name + " is completed (" + run.reason +
                                       "), and would end so again: " + begin_anew);
  }
  throw Error(ErrorKind::kState, "run " + run.name +
                                     " is completed: nothing is left to train. Give more than " +
                                     std::to_string(run.epoch) + " epochs to go on; " + begin_anew);
}

void refuse_resume(const RunRow& run, const ResumeWish& wish) {
  const std::optional<int> epochs = wish.settings.epochs;
  if (run.state == RunState::kCompleted) {
    const bool all_epochs = !run.end_reason || *run.end_reason == EndReason::kAllEpochs;
    if (!all_epochs || !epochs || *epochs <= run.epoch) refuse_completed(run);
  } else if (!is_finished(run.state)) {
    throw Error(ErrorKind::kState,
                "run " + run.name + " is " + name_of(run.state) + ": there is nothing to resume");
  }
  if (epochs && *epochs < run.epoch) {
    throw Error(ErrorKind::kConfig, std::to_string(*epochs) + " epochs are fewer than run " +
                                        run.name + " has begun: give at least " +
                                        std::to_string(run.epoch));
  }
}

}  // namespace

Supervisor::Supervisor(RunSurroundings around, OnTurn on_turn)
    : around_(std::move(around)),
      on_turn_(std::move(on_turn)),
      ended_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!ended_.open()) throw system_error("eventfd", errno);
}

Supervisor::~Supervisor() {
  leave();
  errands_.close();
  if (thread_.joinable()) thread_.join();
}

void Supervisor::begin() {
  thread_ = std::thread([this] { loop(); });
}

void Supervisor::stop() noexcept {
  stop_.store(true);
  errands_.wake();
}

std::chrono::milliseconds Supervisor::longest_stop(const WorkerSettings& worker) {
  return worker.stop_timeout + kFarewell;
}

void Supervisor::leave() noexcept {
  leave_.store(true);
  errands_.wake();
}

void Supervisor::loop() {
  while (!leave_.load() && !(stopping_ && !active_)) {
    try {
      turn();
      if (!trouble_.empty()) spdlog::info("it works again");
      trouble_.clear();
    } catch (const std::exception& error) {
      // A database that refuses (disk full) must not end a run: everything stays as it is.
      const bool is_new = trouble_.empty();
      trouble_ = printable(error.what()) + "; tried again every second";
      if (is_new) spdlog::error("{}", trouble_);
    }
    show_troubles();
    const Clock::time_point now = Clock::now();
    if (stopping_ && now >= give_up_at_) break;
    on_turn_({!active_ || active_->healthy(now), stopping_, status_line()});
    wait_for_something();
  }
  errands_.close();
  if (active_) active_->leave();
  active_.reset();
  [[maybe_unused]] const int ignored = eventfd_write(ended_.get(), 1);
}

void Supervisor::turn() {
  if (!recovered_) recover();
  if (stop_.load() && !stopping_) {
    stopping_ = true;
    const Clock::time_point now = Clock::now();
    give_up_at_ = now + longest_stop(around_.config.worker);
    if (active_) active_->preempt(now);
  }
  errands_.run_all();
  if (active_) active_->turn(Clock::now());
  if (active_ && active_->done()) active_.reset();
  if (!active_ && !stopping_) begin_next();
  watch_disk(Clock::now());
}

// A word that the database does not take is given again in the next turn.
void Supervisor::watch_disk(Clock::time_point now) {
  if (!active_ || now < next_look_) return;
  const DiskRoom room = disk_room(around_.config.state_folder);
  if (const auto word = disk_watch_.look(room, active_->checkpoint_bytes(), now)) {
    const Notice notice{word->fills ? ErrorKind::kNoSpace : ErrorKind::kState,
                        around_.config.state_folder + ": " + word->text};
    active_->warn(notice, word->fills ? "disk-filling" : "",
                  "Make room there: on a full disk no checkpoint can be saved, and nothing can be "
                  "recorded or mailed.");
    disk_watch_.told();
    spdlog::warn("{}", printable(notice.text));
  }
  next_look_ = now + kBetweenLooks;
}

void Supervisor::show_troubles() {
  std::vector<std::string> troubles;
  if (!trouble_.empty()) troubles.push_back("traind cannot record what happens: " + trouble_);
  if (active_ && !disk_watch_.trouble().empty()) troubles.push_back(disk_watch_.trouble());
  around_.board.set_troubles(std::move(troubles));
}

// What an earlier daemon left unfinished goes on by itself; what it was stopping is stopped.
void Supervisor::recover() {
  const std::int64_t now_micros = unix_micros();
  around_.store.write([&](Database& db) {
    for (const RunRow& run : unfinished_runs(db)) {
      if (run.state == RunState::kQueued || run.state == RunState::kPreempted) continue;
      const bool stopped = run.state == RunState::kStopping;
      const RunState state = stopped ? RunState::kStopped : RunState::kPreempted;
      const std::string reason = stopped ? "stopped as asked, while the daemon ended"
                                         : "the daemon ended unexpectedly; the run goes on";
      set_run_state(db, run.run, state, reason, now_micros);
      note(db, run.run, state, reason, now_micros);
      spdlog::warn("run {} ({}): {}", run.name, run.id, reason);
    }
  });
  recovered_ = true;
}

void Supervisor::begin_next() {
  const auto waiting = around_.store.read([](Database& db) { return unfinished_runs(db); });
  if (waiting.empty()) return;
  active_ = std::make_unique<ActiveRun>(around_, waiting.front());
  active_->turn(Clock::now());
}

void Supervisor::wait_for_something() {
  std::vector<pollfd> watched = {{errands_.descriptor(), POLLIN, 0}};
  Clock::time_point until = Clock::now() + kLongestTurn;
  // In trouble, a worker's end would wake us again and again.
  if (active_ && trouble_.empty()) {
    active_->watch(watched);
    until = std::min(until, active_->next_deadline());
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
  poll(watched.data(), watched.size(), static_cast<int>(std::max<std::int64_t>(0, left.count())));
}

std::string Supervisor::status_line() const {
  if (stopping_) return active_ ? "stopping; " + active_->status_line() : "stopping";
  return active_ ? active_->status_line() : "no run";
}

RunRow Supervisor::row_of(std::int64_t run) const {
  return *around_.store.read([&](Database& db) { return run_by_number(db, run); });
}

// What the run's next worker would read.
std::string Supervisor::run_file_text(const RunRow& run) const {
  if (!run.next_run_file.empty()) return run.next_run_file;
  return read_whole(around_.config.run_folder(run.id) + "/run.toml", kLongestRunFile);
}

RunRow Supervisor::change_state(std::int64_t run, RunState state, const std::string& reason) {
  const std::int64_t now_micros = unix_micros();
  around_.store.write([&](Database& db) {
    set_run_state(db, run, state, reason, now_micros);
    note(db, run, state, reason, now_micros);
  });
  around_.changed();
  return row_of(run);
}

RunRow Supervisor::start_run(RunRow run) {
  return errands_.ask([this, run = std::move(run)]() mutable {
    const bool waits = active_ != nullptr;
    run.state = RunState::kQueued;
    run.reason = waits ? "waits for run " + active_->run().name : "waits for its turn";
    around_.store.write([&](Database& db) {
      insert_run(db, run);
      note(db, run.run, run.state, run.reason, run.created_micros);
    });
    around_.changed();
    return row_of(run.run);
  });
}

RunRow Supervisor::stop_run(std::int64_t run) {
  return errands_.ask([this, run] {
    const RunRow row = row_of(run);
    if (is_finished(row.state)) {
      throw Error(ErrorKind::kState, "run " + row.name + " is " + name_of(row.state) + " already");
    }
    if (active_ && active_->run().run == run) {
      active_->stop(Clock::now());
    } else {
      change_state(run, RunState::kStopped, "stopped as asked, while it waited");
    }
    return row_of(run);
  });
}

RunRow Supervisor::resume_run(std::int64_t run, const ResumeWish& wish) {
  return errands_.ask([this, run, wish] {
    const RunRow row = row_of(run);
    refuse_resume(row, wish);
    std::optional<RunFile> changed;
    if (wish.settings.any()) changed = with_settings(run_file_text(row), wish.settings);
    const std::string reason = "asked to go on; waits for its turn";
    const std::int64_t now_micros = unix_micros();
    around_.store.write([&](Database& db) {
      requeue_run(db, row, reason, wish.accept_changed_data);
      if (changed) set_next_run_file(db, run, to_toml(*changed), changed->train.epochs);
      note(db, run, RunState::kQueued, reason, now_micros);
    });
    around_.changed();
    return row_of(run);
  });
}

void Supervisor::save_checkpoint(std::int64_t run) {
  errands_.ask([this, run] {
    if (!active_ || active_->run().run != run) {
      throw Error(ErrorKind::kState, "run " + row_of(run).name + " is not training just now");
    }
    active_->save();
  });
}

}  // namespace traind
