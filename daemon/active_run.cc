#include "daemon/active_run.h"

#include <spdlog/spdlog.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "daemon/checkpoint_files.h"
#include "daemon/history.h"
#include "daemon/logging.h"
#include "daemon/messages.h"
#include "daemon/run_settings.h"
#include "daemon/training_rows.h"
#include "daemon/worker_log.h"
#include "model/base/clock.h"
#include "model/base/files.h"

namespace traind {
namespace {

constexpr std::size_t kLogLinesInMail = 50;
// What the supervisor itself gets to deal with a stalled worker before it counts as stuck.
constexpr std::chrono::seconds kPatience{30};

// Newest first.
std::vector<CheckpointRow> kept_checkpoints(const Store& store, std::int64_t run) {
  return store.read([&](Database& db) { return checkpoints_of(db, run); });
}

std::int64_t newest_checkpoint_step(const Store& store, std::int64_t run) {
  const auto kept = kept_checkpoints(store, run);
  return kept.empty() ? -1 : kept.front().saved.step;
}

// What an earlier daemon has set aside is no longer kept for the database; by hand it would be.
LoadTrials trials_of(const Store& store, std::int64_t run, const std::string& folder) {
  const std::string file = newest_set_aside(folder);
  const auto kept = kept_checkpoints(store, run);
  const bool by_us = std::none_of(kept.begin(), kept.end(),
                                  [&](const CheckpointRow& row) { return row.saved.file == file; });
  return {file, by_us};
}

std::string seconds_words(std::chrono::milliseconds delay) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g s", static_cast<double>(delay.count()) / 1000);
  return text;
}

}  // namespace

ActiveRun::ActiveRun(const RunSurroundings& around, RunRow run)
    : around_(around),
      ledger_(around.store, around.desk, std::move(run)),
      policy_(around.config.worker, newest_checkpoint_step(around.store, ledger_.run().run)),
      trials_(trials_of(around.store, ledger_.run().run, checkpoint_folder())),
      last_sign_(Clock::now()),
      start_at_(Clock::now()) {}

void ActiveRun::turn(Clock::time_point now) {
  if (!worker_) {
    if (now >= start_at_) launch(now);
    return;
  }
  // Asked before its pipe is read: what it said last is then sure to be in there.
  const bool ended = worker_->ended().has_value();
  if (ledger_.full()) {
    last_sign_ = now;  // it is we who do not listen
    quiet_ = false;
  } else {
    read(now);
  }
  if (announce_running_ && wish_ == Wish::kNone) {
    set_state(RunState::kRunning, "training");
  } else if (now >= ledger_.due()) {
    commit();
  }
  announce_running_ = false;
  worker_->acknowledge(ledger_.stored_step());
  if (ended && quiet_) return conclude(now);
  kill_if_late(now);
}

void ActiveRun::commit(const RunLedger::More& more) {
  ledger_.commit(more);
  around_.changed();
}

void ActiveRun::set_state(RunState state, const std::string& reason) {
  const std::int64_t now_micros = unix_micros();
  commit([&](Database& db, RunRow& run) {
    run.state = state;
    run.reason = reason;
    set_run_state(db, run.run, state, reason, now_micros);
    note(db, run.run, state, reason, now_micros);
  });
  spdlog::info("run {} ({}): {}: {}", run().name, run().id, name_of(state), printable(reason));
}

void ActiveRun::launch(Clock::time_point now) {
  set_state(RunState::kStarting, "the worker is starting");
  ledger_.begin_worker();
  ended_.reset();
  failed_.reset();
  progress_.reset();
  killed_because_.clear();
  loading_.clear();
  kept_ = kept_checkpoints(around_.store, run().run);
  missing_ = kept_;
  std::erase_if(missing_, [&](const CheckpointRow& row) {
    return !is_missing(checkpoint_folder(), row.saved.file);
  });
  quiet_ = announce_running_ = training_ = stalled_ = false;
  kill_at_ = Clock::time_point::max();
  last_sign_ = now;
  const std::string folder = around_.config.run_folder(run().id);
  if (!kept_.empty() && is_emptied(checkpoint_folder())) {
    return fail("all checkpoints of the run are missing from " + checkpoint_folder() +
                "; put them back, or move the folder away to start over");
  }
  try {
    // Again with each start until a worker has begun with it: however this ends, what was asked for
    // is in the database.
    if (!run().next_run_file.empty()) {
      write_durably(posix_files(), folder + "/run.toml", run().next_run_file);
    }
    worker_ = std::make_unique<WorkerProcess>(
        WorkerCommand{around_.config.worker.program, folder, run().accept_changed_data});
    spdlog::info("run {}: worker {} started", run().name, worker_->pid());
  } catch (const Error& error) {
    try_again(now, error.what());
  }
}

void ActiveRun::read(Clock::time_point now) {
  try {
    const std::vector<std::string> messages = worker_->read_events();
    quiet_ = messages.empty();
    for (const std::string& message : messages) take(decode_event(message));
    if (!quiet_) last_sign_ = now;
  } catch (const Error& error) {
    quiet_ = true;  // nothing that still comes can be understood
    if (!killed_because_.empty()) return;
    killed_because_ = std::string("the worker sent what is no event (") + error.what() + ")";
    spdlog::error("run {}: {}", run().name, printable(killed_because_));
    worker_->kill();
  }
}

void ActiveRun::take(Event event) {
  if (const auto* progress = std::get_if<Progress>(&event)) {
    progress_ = *progress;
    ledger_.set_seconds_left(progress->seconds_left);
    around_.board.put(run().run, *progress, unix_micros());
    around_.changed();
    return;
  }
  if (const auto* loading = std::get_if<CheckpointLoading>(&event)) {
    loading_ = loading->file;
    return;
  }
  if (const auto* started = std::get_if<RunStarted>(&event)) {
    announce_running_ = training_ = true;
    loading_.clear();
    trials_.began();
    tell_missing(*started);
  }
  if (const auto* saved = std::get_if<CheckpointSaved>(&event)) {
    if (is_told_again(*saved)) return;
    policy_.saved(saved->step);
    trials_.saved(saved->file);
  }
  if (const auto* notice = std::get_if<Notice>(&event)) {
    spdlog::warn("run {}: {}", run().name, printable(notice->text));
  }
  if (const auto* ended = std::get_if<RunEnded>(&event)) ended_ = *ended;
  if (const auto* failed = std::get_if<RunFailed>(&event)) failed_ = *failed;
  ledger_.take(std::move(event));
}

// A worker begins with telling what it goes on from: the one before may have died between saving it
// and saying so. What is stored already keeps its time and its reason.
bool ActiveRun::is_told_again(const CheckpointSaved& saved) const {
  return std::any_of(kept_.begin(), kept_.end(), [&](const CheckpointRow& row) {
    return row.saved.file == saved.file && row.saved.digest == saved.digest;
  });
}

// The worker sees only what is there. What was durable and is gone, only the database knows.
void ActiveRun::tell_missing(const RunStarted& started) {
  for (const CheckpointRow& row : missing_) {
    const std::string& file = row.saved.file;
    // What is older may have been pruned by a worker whose daemon was gone.
    if (row.saved.step <= started.resumed_step) return;
    const std::string text = "checkpoint " + file + " is missing from " + checkpoint_folder();
    spdlog::warn("run {}: {}", run().name, printable(text));
    ledger_.take(CheckpointPruned{file});
    ledger_.take(Notice{ErrorKind::kCorrupt, text});
  }
}

void ActiveRun::kill_if_late(Clock::time_point now) {
  if (!killed_because_.empty() || worker_->ended()) return;
  if (now >= kill_at_) {
    killed_because_ = "the worker did not end within " +
                      seconds_words(around_.config.worker.stop_timeout) + " and was killed";
    spdlog::warn("run {}: {}", run().name, killed_because_);
    worker_->kill();
    return;
  }
  const std::string sign = stall_sign(now);
  if (sign.empty()) return;
  killed_because_ = sign + " for " + seconds_words(around_.config.worker.stall_timeout) +
                    ": the worker is killed";
  stalled_ = true;
  worker_->kill();
  set_state(RunState::kStalled, killed_because_);
}

// What has not been seen for stall_timeout; empty = nothing hangs, or it is being stopped anyway.
// The trainer's thread alone sends events, so steps that go on prove nothing of the thread that
// writes checkpoints: its movements have a clock of their own.
std::string ActiveRun::stall_sign(Clock::time_point now) const {
  const auto timeout = around_.config.worker.stall_timeout;
  if (wish_ != Wish::kNone) return {};
  if (now - last_sign_ >= timeout) return "no sign of life";
  const bool stands_still =
      progress_ && progress_->save_still_seconds >= std::chrono::duration<double>(timeout).count();
  return stands_still ? "the checkpoint under way has not moved" : "";
}

void ActiveRun::conclude(Clock::time_point now) {
  const int status = *worker_->ended();
  const bool has_trained = run().step > 0 || (progress_ && progress_->step > 0);
  const bool says_final = killed_because_.empty() && WIFEXITED(status) &&
                          RestartPolicy::is_final(WEXITSTATUS(status), has_trained);
  if (ended_ && ended_->reason != EndReason::kStopRequested) {
    finish(RunState::kCompleted, end_words(ended_->reason, run()));
  } else if (wish_ == Wish::kStop) {
    finish(RunState::kStopped,
           ended_ ? "stopped as asked" + position_words() : "stopped as asked; " + what_happened());
  } else if (says_final) {
    fail(what_happened());
  } else if (wish_ == Wish::kPreempt) {
    finish(RunState::kPreempted,
           "the daemon was stopped" + position_words() + "; the run goes on when it starts again");
  } else {
    try_again(now, what_happened());
  }
}

std::string ActiveRun::what_happened() const {
  if (!killed_because_.empty()) return killed_because_;
  if (failed_) return failed_->message;
  if (ended_) return "the worker was told to stop by somebody else";
  return "the worker " + worker_->end_words();
}

std::string ActiveRun::position_words() const {
  if (run().step == 0) return {};
  return " in epoch " + std::to_string(run().epoch) + " at step " + std::to_string(run().step);
}

std::string ActiveRun::checkpoint_folder() const {
  return around_.config.run_folder(run().id) + "/checkpoints";
}

// By what it loaded, or so it seems: by a signal, by hanging, or by an error that nobody foresaw. A
// worker that names another error has said itself what it was, and one that was killed for want of
// memory could as well have been another.
bool ActiveRun::died_loading() const {
  if (loading_.empty() || ended_) return false;
  if (failed_) return failed_->kind == ErrorKind::kInternal;
  return !killed_because_.empty() || !worker_->ended_for_memory();
}

void ActiveRun::try_again(Clock::time_point now, std::string what_happened) {
  Next next{policy_, trials_, {}, {}};
  const auto delay = next.policy.next_delay();
  auto verdict = LoadTrials::Verdict::kTryAgain;
  if (died_loading()) {
    verdict = next.trials.crashed(loading_);
    what_happened += " while it loaded " + loading_ + " (time " +
                     std::to_string(next.trials.crashes()) + " of " +
                     std::to_string(LoadTrials::kMost) + ")";
  }
  if (verdict == LoadTrials::Verdict::kGiveUp) return fail(what_happened);
  if (!delay) {
    return fail(what_happened + "; given up after " + std::to_string(policy_.attempts()) +
                " restarts without a newer checkpoint");
  }
  next.delay = *delay;
  if (verdict == LoadTrials::Verdict::kSetAside) {
    try {
      set_aside(checkpoint_folder(), loading_);
    } catch (const Error& error) {
      return fail(what_happened + "; it cannot be set aside: " + error.what());
    }
    next.set_aside = loading_;
    what_happened +=
        "; that file is set aside as " + loading_ + ".quarantined, and the next older one is tried";
  }
  start_again(next, what_happened);
  policy_ = next.policy;
  trials_ = next.trials;
  worker_.reset();
  around_.board.remove(run().run);
  start_at_ = now + *delay;
}

void ActiveRun::start_again(const Next& next, const std::string& what_happened) {
  const RunState state = stalled_ ? RunState::kStalled : RunState::kStarting;
  const std::string attempt = " in " + seconds_words(next.delay) + " (attempt " +
                              std::to_string(next.policy.attempts()) + " of " +
                              std::to_string(around_.config.worker.max_restarts) + ")";
  const std::string what_next =
      "It is started again" + attempt + " from the newest good checkpoint.";
  const std::string reason = what_happened + "; it is started again" + attempt;
  const auto log_tail =
      last_lines(around_.config.run_folder(run().id) + "/worker.log", kLogLinesInMail);
  const std::int64_t now_micros = unix_micros();
  commit([&](Database& db, RunRow& run) {
    run.state = state;
    run.reason = reason;
    ++run.restarts;
    set_run_state(db, run.run, state, reason, now_micros);
    count_restart(db, run.run);
    if (!next.set_aside.empty()) mark_pruned(db, run.run, next.set_aside, now_micros);
    note(db, run.run, state, reason, now_micros);
    around_.desk.put(db, run,
                     {ReportKind::kRestart, "restart-" + std::to_string(run.restarts),
                      what_happened, what_next, log_tail},
                     now_micros);
  });
  spdlog::warn("run {}: {}", run().name, printable(reason));
}

// What was set aside without any worker having trained since was perhaps not to blame.
void ActiveRun::fail(std::string reason) {
  const std::string suspect = trials_.unproven();
  if (suspect.empty()) return finish(RunState::kFailed, reason);
  reason += "; before that, workers crashed while they loaded " + suspect;
  bool is_back = true;
  try {
    put_back(checkpoint_folder(), suspect);
    reason += ", which was set aside and is in its place again, since nothing came of it";
  } catch (const Error& error) {
    is_back = false;
    reason += ", which is set aside as " + suspect + ".quarantined: " + error.what();
  }
  finish(RunState::kFailed, reason, [&](Database& db, RunRow& run) {
    if (is_back) mark_pruned(db, run.run, suspect, 0);
  });
}

void ActiveRun::finish(RunState state, const std::string& reason, const RunLedger::More& more) {
  const std::int64_t now_micros = unix_micros();
  Occasion occasion;
  occasion.kind = state == RunState::kFailed ? ReportKind::kFailure : ReportKind::kEnd;
  occasion.reason = reason;
  if (state == RunState::kFailed) {
    occasion.what_next = "Nothing happens until somebody asks for it: `trainctl resume " +
                         run().name + "` goes on from the newest good checkpoint.";
    occasion.log_tail =
        last_lines(around_.config.run_folder(run().id) + "/worker.log", kLogLinesInMail);
  }
  commit([&](Database& db, RunRow& run) {
    run.state = state;
    run.reason = reason;
    set_run_state(db, run.run, state, reason, now_micros);
    if (state == RunState::kCompleted) {
      run.end_reason = ended_->reason;
      set_end_reason(db, run.run, ended_->reason);
    }
    note(db, run.run, state, reason, now_micros);
    if (more) more(db, run);
    if (!is_finished(state)) return;
    // The end may come more than once in a run's life: with each time that it was asked for.
    occasion.key = std::string(name_of(occasion.kind)) + "-" + std::to_string(run.queue_position);
    around_.desk.put(db, run, occasion, now_micros);
  });
  spdlog::info("run {} ({}): {}: {}", run().name, run().id, name_of(state), printable(reason));
  worker_.reset();
  around_.board.remove(run().run);
  done_ = true;
}

void ActiveRun::stop(Clock::time_point now) {
  if (!worker_) return finish(RunState::kStopped, "stopped as asked; no worker was running");
  if (wish_ == Wish::kStop) return;
  set_state(RunState::kStopping, "asked to stop; the worker saves a checkpoint");
  wish_ = Wish::kStop;
  kill_at_ = now + around_.config.worker.stop_timeout;
  worker_->ask_stop();
}

void ActiveRun::preempt(Clock::time_point now) {
  if (wish_ != Wish::kNone) return;
  const std::string reason = "the daemon is stopping; the run goes on when it starts again";
  if (!worker_) return finish(RunState::kPreempted, reason);
  wish_ = Wish::kPreempt;
  kill_at_ = now + around_.config.worker.stop_timeout;
  worker_->ask_stop();
  set_state(RunState::kPreempted, reason);
}

void ActiveRun::save() {
  if (!worker_ || !training_ || wish_ != Wish::kNone) {
    throw Error(ErrorKind::kState, "run " + run().name + " is not training just now");
  }
  worker_->ask_save();
}

void ActiveRun::warn(const Notice& notice, const std::string& topic, const std::string& what_next) {
  ledger_.warn(notice, topic, what_next);
  around_.changed();
}

std::uint64_t ActiveRun::checkpoint_bytes() const {
  const auto kept = around_.store.read([&](Database& db) { return checkpoints_of(db, run().run); });
  if (!kept.empty()) return static_cast<std::uint64_t>(kept.front().saved.bytes);
  // Weights, and the two moments of Adam.
  return static_cast<std::uint64_t>(run().started.parameters) * 3 * sizeof(float);
}

void ActiveRun::leave() noexcept {
  if (worker_) worker_->leave();
}

void ActiveRun::watch(std::vector<pollfd>& watched) const {
  if (!worker_) return;
  if (!ledger_.full()) watched.push_back({worker_->event_descriptor(), POLLIN, 0});
  watched.push_back({worker_->exit_descriptor(), POLLIN, 0});
}

ActiveRun::Clock::time_point ActiveRun::next_deadline() const {
  if (!worker_) return start_at_;
  if (!killed_because_.empty()) return ledger_.due();  // its end wakes us
  if (wish_ != Wish::kNone) return std::min(ledger_.due(), kill_at_);
  return std::min(ledger_.due(), last_sign_ + around_.config.worker.stall_timeout);
}

bool ActiveRun::healthy(Clock::time_point now) const {
  if (!worker_ || wish_ != Wish::kNone) return true;
  return now - last_sign_ < around_.config.worker.stall_timeout + kPatience;
}

std::string ActiveRun::status_line() const {
  std::string line = "run " + run().name;
  if (!worker_ || !progress_) return line + ": " + printable(run().reason);
  char loss[32];
  std::snprintf(loss, sizeof loss, "%.4f", progress_->loss);
  line += " epoch " + std::to_string(progress_->epoch) + "/" + std::to_string(run().epochs) +
          " batch " + std::to_string(progress_->batch) + "/" + std::to_string(progress_->batches) +
          " loss " + loss;
  if (progress_->seconds_left >= 0) line += " ETA " + duration_words(progress_->seconds_left);
  return line;
}

}  // namespace traind
