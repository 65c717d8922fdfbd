#include "daemon/status_replies.h"

#include <algorithm>
#include <cmath>

#include "daemon/event_rows.h"
#include "daemon/history.h"
#include "daemon/messages.h"
#include "model/base/clock.h"

namespace traind {
namespace {

// People ask about a few runs; whoever asks about all of them has each read anew.
constexpr std::size_t kMostKept = 32;
constexpr int kChangesShown = 5;

void add_metrics(Database& db, const RunRow& run, v1::GetStatusResponse& response) {
  response.set_trained_seconds(run.trained_seconds);
  response.set_seconds_left(-1);
  const auto row = newest_metric(db, run.run);
  if (!row) return;
  response.set_loss(row->loss);
  response.set_accuracy(row->accuracy);
  response.set_loss_known(std::isfinite(row->loss));
  response.set_learning_rate(row->rate);
}

void add_checkpoints(Database& db, const RunRow& run, v1::GetStatusResponse& response) {
  const auto kept = checkpoints_of(db, run.run);
  if (kept.empty()) return;
  *response.mutable_checkpoint() = checkpoint_reply(kept.front());
  response.set_digest(kept.front().saved.digest);
  const auto best = std::find_if(kept.begin(), kept.end(),
                                 [](const CheckpointRow& row) { return row.saved.best; });
  if (best != kept.end()) *response.mutable_best_checkpoint() = checkpoint_reply(*best);
}

void add_mails(Database& db, v1::GetStatusResponse& response) {
  const OutboxCounts mails = count_mails(db);
  response.set_mails_waiting(mails.waiting);
  response.set_mails_dead(mails.dead);
  response.set_mail_error(mails.error);
}

void add_start(const RunRow& run, v1::GetStatusResponse& response) {
  response.set_device(run.started.device);
  response.set_device_name(run.started.device_name);
  response.set_device_reason(run.started.device_reason);
  response.set_parameters(run.started.parameters);
  response.set_train_examples(run.started.train_examples);
  response.set_valid_examples(run.started.valid_examples);
  response.set_config(run.started.config);
}

void add_progress(const BoardEntry& entry, v1::GetStatusResponse& response) {
  const Progress& progress = entry.progress;
  *response.mutable_progress() = to_message(progress);
  response.set_trained_seconds(std::max(response.trained_seconds(), progress.trained_seconds));
  response.set_seconds_left(progress.seconds_left);
  if (!progress.trouble.empty()) response.add_troubles(progress.trouble);
  if (progress.seconds_left < 0) return;
  response.set_finish_micros(entry.time_micros +
                             static_cast<std::int64_t>(progress.seconds_left * 1e6));
}

}  // namespace

StatusReplies::Stored StatusReplies::read(const std::string& name) const {
  Stored stored;
  // Before the reading: what is written meanwhile makes this one out of date, never too young.
  stored.changes = from_.store.changes();
  from_.store.read([&](Database& db) {
    const RunRow run = find_run(db, name);
    v1::GetStatusResponse& response = stored.response;
    stored.run = run.run;
    *response.mutable_run() = stored_run(db, run);
    add_metrics(db, run, response);
    add_checkpoints(db, run, response);
    add_mails(db, response);
    add_start(run, response);
    for (const SettingChanged& change : newest_changes(db, run.run, kChangesShown)) {
      *response.add_changes() = to_message(change);
    }
    response.set_run_folder(from_.config.run_folder(run.id));
    response.set_worker_log(response.run_folder() + "/worker.log");
    response.set_last_sequence(last_sequence(db, run.run));
  });
  return stored;
}

StatusReplies::Stored StatusReplies::stored(const std::string& name) const {
  {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.find(name);
    if (found != kept_.end() && from_.store.unchanged_since(found->second.changes)) {
      return found->second;
    }
  }
  Stored stored = read(name);
  const std::lock_guard lock(mutex_);
  if (kept_.size() >= kMostKept) kept_.clear();
  kept_[name] = stored;
  return stored;
}

void StatusReplies::reply(const v1::GetStatusRequest& request,
                          v1::GetStatusResponse& response) const {
  Stored stored = this->stored(request.run());
  response = std::move(stored.response);
  const auto entry = from_.board.get(stored.run);
  traind::add_progress(entry, *response.mutable_run());
  if (entry) add_progress(*entry, response);
  for (const std::string& trouble : from_.board.troubles()) response.add_troubles(trouble);
  response.set_now_micros(unix_micros());
}

}  // namespace traind
