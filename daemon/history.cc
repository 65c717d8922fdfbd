#include "daemon/history.h"

#include <cstdio>

#include "daemon/event_rows.h"
#include "daemon/messages.h"
#include "daemon/training_rows.h"
#include "model/train/measure.h"

namespace traind {
namespace {

std::string rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

}  // namespace

void note(Database& db, std::int64_t run, RunState state, const std::string& reason,
          std::int64_t now_micros) {
  v1::WatchRunResponse message;
  message.mutable_state_change()->set_state(static_cast<v1::RunState>(state));
  message.mutable_state_change()->set_reason(reason);
  put_event(db, run, now_micros, "state", "", std::string(name_of(state)) + ": " + reason,
            message.SerializeAsString());
}

// Each start is an event of its own: it says from where the run goes on.
void note(Database& db, std::int64_t run, const RunStarted& started, std::int64_t now_micros) {
  v1::WatchRunResponse message;
  *message.mutable_run_started() = to_message(started);
  put_event(db, run, now_micros, "started", "",
            "training on " + started.device_name +
                (started.resumed_step < 0 ? std::string(" from the beginning")
                                          : " from " + started.resumed_from),
            message.SerializeAsString());
}

void note(Database& db, std::int64_t run, const MetricRow& row, std::int64_t now_micros) {
  v1::WatchRunResponse message;
  *message.mutable_metric_row() = to_message(row);
  put_event(db, run, now_micros, "metric", std::to_string(row.step),
            "epoch " + std::to_string(row.epoch) + " batch " + std::to_string(row.batch) +
                " loss " + rounded(row.loss),
            message.SerializeAsString());
}

void note(Database& db, std::int64_t run, const EpochDone& epoch, std::int64_t now_micros) {
  v1::WatchRunResponse message;
  *message.mutable_epoch_done() = to_message(epoch);
  put_event(db, run, now_micros, "epoch", std::to_string(epoch.epoch),
            "epoch " + std::to_string(epoch.epoch) + " of " + std::to_string(epoch.epochs) +
                " done: validation loss " + rounded(epoch.valid_loss) +
                (epoch.best ? std::string(" (best by ") + name_of(epoch.measure) + ")" : ""),
            message.SerializeAsString());
}

void note(Database& db, std::int64_t run, const CheckpointSaved& checkpoint,
          std::int64_t now_micros) {
  v1::WatchRunResponse message;
  *message.mutable_checkpoint_saved() = to_message(checkpoint);
  put_event(db, run, now_micros, "checkpoint", checkpoint.file,
            checkpoint.file + " (" + name_of(checkpoint.reason) + ")", message.SerializeAsString());
}

void note(Database& db, std::int64_t run, const SettingChanged& change, std::int64_t now_micros) {
  v1::WatchRunResponse message;
  *message.mutable_setting_changed() = to_message(change);
  put_event(db, run, now_micros, "setting",
            std::to_string(change.step) + " " + change.key + " " + change.was + " -> " + change.is,
            change.key + " " + change.was + " -> " + change.is + " from step " +
                std::to_string(change.step) + " on",
            message.SerializeAsString());
}

void note(Database& db, std::int64_t run, const Notice& notice, std::int64_t now_micros) {
  v1::WatchRunResponse message;
  *message.mutable_notice() = to_message(notice);
  put_event(db, run, now_micros, "notice", "", notice.text, message.SerializeAsString());
}

std::vector<SettingChanged> newest_changes(Database& db, std::int64_t run, int limit) {
  std::vector<SettingChanged> changes;
  for (const EventRow& row : newest_events(db, run, "setting", limit)) {
    v1::WatchRunResponse message;
    if (!message.ParseFromString(row.payload)) continue;
    const v1::SettingChanged& change = message.setting_changed();
    changes.push_back({change.key(), change.was(), change.is(), change.step(), change.epoch()});
  }
  return changes;
}

}  // namespace traind
