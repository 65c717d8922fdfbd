#include "daemon/replies.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "daemon/event_rows.h"
#include "daemon/messages.h"
#include "model/base/clock.h"

namespace traind {
namespace {

int page_size(int asked, int usual, int most) {
  if (asked < 0) throw Error(ErrorKind::kConfig, "page_size must not be below zero");
  return asked == 0 ? usual : std::min(asked, most);
}

}  // namespace

v1::Run stored_run(Database& db, const RunRow& run) {
  v1::Run reply;
  reply.set_id(run.id);
  reply.set_name(run.name);
  reply.set_state(static_cast<v1::RunState>(run.state));
  reply.set_reason(run.reason);
  reply.set_created_micros(run.created_micros);
  reply.set_started_micros(run.started_micros);
  reply.set_finished_micros(run.finished_micros);
  reply.set_epoch(run.epoch);
  reply.set_epochs(run.epochs);
  reply.set_step(run.step);
  reply.set_restarts(run.restarts);
  reply.set_started_from(run.started.started_from);
  if (run.end_reason) reply.set_end_reason(to_message(*run.end_reason));
  if (const auto epoch = newest_epoch(db, run.run)) {
    reply.set_measure(to_message(epoch->measure));
    reply.set_valid_loss(epoch->valid_loss);
    reply.set_valid_loss_known(std::isfinite(epoch->valid_loss));
    *reply.mutable_scores() = to_message(epoch->scores);
  }
  return reply;
}

void add_progress(const std::optional<BoardEntry>& entry, v1::Run& run) {
  if (!entry) return;
  run.set_epoch(entry->progress.epoch);
  run.set_step(std::max(entry->progress.step, run.step()));
}

v1::Run run_reply(const ReplySources& from, const RunRow& run) {
  v1::Run reply = from.store.read([&](Database& db) { return stored_run(db, run); });
  add_progress(from.board.get(run.run), reply);
  return reply;
}

v1::Checkpoint checkpoint_reply(const CheckpointRow& row) {
  v1::Checkpoint reply;
  reply.set_file(row.saved.file);
  reply.set_step(row.saved.step);
  reply.set_epoch(row.saved.epoch);
  reply.set_reason(static_cast<v1::CheckpointReason>(static_cast<int>(row.saved.reason) + 1));
  reply.set_bytes(row.saved.bytes);
  reply.set_digest(row.saved.digest);
  reply.set_best(row.saved.best);
  reply.set_saved_micros(row.saved_micros);
  return reply;
}

v1::Mail mail_reply(const OutboxRow& mail) {
  v1::Mail reply;
  reply.set_id(mail.id);
  reply.set_run(mail.run_name);
  reply.set_kind(mail.kind);
  reply.set_recipient(mail.recipient);
  reply.set_subject(mail.subject);
  reply.set_state(mail.state);
  reply.set_attempts(mail.attempts);
  reply.set_last_error(mail.last_error);
  reply.set_created_micros(mail.created_micros);
  reply.set_sent_micros(mail.sent_micros);
  reply.set_next_attempt_micros(mail.next_attempt_micros);
  reply.set_folded_into(mail.folded_into);
  return reply;
}

void reply(const ReplySources& from, const v1::ListRunsRequest& request,
           v1::ListRunsResponse& response) {
  const int size = page_size(request.page_size(), 100, 1000);
  std::int64_t before = 0;
  const std::string& token = request.page_token();
  if (!token.empty()) {
    const auto end = token.data() + token.size();
    const auto parsed = std::from_chars(token.data(), end, before);
    if (parsed.ec != std::errc() || parsed.ptr != end || before < 1) {
      throw Error(ErrorKind::kConfig, "page_token is not one that this service gave");
    }
  }
  from.store.read([&](Database& db) {
    const auto runs = list_runs(db, before, size + 1);
    for (const RunRow& run : runs) {
      if (response.runs_size() == size) {
        response.set_next_page_token(std::to_string(before));
        return;
      }
      *response.add_runs() = stored_run(db, run);
      add_progress(from.board.get(run.run), *response.mutable_runs(response.runs_size() - 1));
      before = run.run;
    }
  });
}

void reply(const ReplySources& from, const v1::ListMetricsRequest& request,
           v1::ListMetricsResponse& response) {
  const int size = page_size(request.page_size(), 1000, 10'000);
  from.store.read([&](Database& db) {
    const RunRow run = find_run(db, request.run());
    for (const MetricRow& row : metrics_after(db, run.run, request.after_step(), size + 1)) {
      if (response.rows_size() == size) {
        response.set_more(true);
        return;
      }
      *response.add_rows() = to_message(row);
    }
  });
}

void reply(const ReplySources& from, const v1::ListEpochsRequest& request,
           v1::ListEpochsResponse& response) {
  from.store.read([&](Database& db) {
    const RunRow run = find_run(db, request.run());
    for (const EpochDone& epoch : epochs_of(db, run.run)) {
      *response.add_epochs() = to_message(epoch);
    }
  });
}

void reply(const ReplySources& from, const v1::ListCheckpointsRequest& request,
           v1::ListCheckpointsResponse& response) {
  from.store.read([&](Database& db) {
    const RunRow run = find_run(db, request.run());
    const std::string folder = from.config.run_folder(run.id) + "/checkpoints/";
    for (const CheckpointRow& row : checkpoints_of(db, run.run)) {
      if (access((folder + row.saved.file).c_str(), F_OK) != 0) continue;
      *response.add_checkpoints() = checkpoint_reply(row);
    }
  });
}

void reply(const ReplySources& from, const v1::ListMailsRequest& request,
           v1::ListMailsResponse& response) {
  const int size = page_size(request.page_size(), 50, 1000);
  from.store.read([&](Database& db) {
    for (const OutboxRow& mail : list_mails(db, size)) *response.add_mails() = mail_reply(mail);
  });
}

}  // namespace traind
