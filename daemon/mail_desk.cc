#include "daemon/mail_desk.h"

#include <spdlog/spdlog.h>

#include <exception>

#include "daemon/history.h"
#include "daemon/logging.h"
#include "daemon/outbox.h"
#include "daemon/run_settings.h"
#include "daemon/training_rows.h"
#include "daemon/ulid.h"

namespace traind {
namespace {

constexpr std::int64_t kHour = 3'600'000'000;
constexpr std::int64_t kGiveUp = 72 * kHour;
constexpr int kChangesGathered = 10;

Report gather(Database& db, const RunRow& run, const Occasion& occasion, const std::string& host,
              std::int64_t now_micros) {
  Report report;
  report.kind = occasion.kind;
  report.host = host;
  report.run_id = run.id;
  report.run = run_file_of(run);
  report.started = run.started;
  report.epochs = epochs_of(db, run.run);
  int epoch = report.epochs.empty() ? 1 : report.epochs.back().epoch;
  if (const auto newest = newest_metric(db, run.run);
      newest && occasion.kind != ReportKind::kEpoch) {
    epoch = newest->epoch;
  }
  report.rows = metrics_of_epoch(db, run.run, epoch);
  report.reason = occasion.reason;
  report.log_tail = occasion.log_tail;
  if (const auto kept = checkpoints_of(db, run.run); !kept.empty()) {
    report.checkpoint = kept.front().saved.file;
  }
  report.what_next = occasion.what_next;
  report.trained_seconds = run.trained_seconds;
  report.seconds_left = occasion.seconds_left;
  report.now_micros = now_micros;
  if (occasion.seconds_left >= 0) {
    report.finish_micros = now_micros + static_cast<std::int64_t>(occasion.seconds_left * 1e6);
  }
  report.restarts = run.restarts;
  report.changes = newest_changes(db, run.run, kChangesGathered);
  return report;
}

std::string file_stem(const Report& report, const std::string& key, std::size_t recipient) {
  std::string stem = report.run.name.empty() ? key : report.run.name + "-" + key;
  if (report.run_id.size() > 6) stem += "-" + report.run_id.substr(report.run_id.size() - 6);
  return recipient == 0 ? stem : stem + "-" + std::to_string(recipient + 1);
}

}  // namespace

void MailDesk::put(Database& db, const RunRow& run, const Occasion& occasion,
                   std::int64_t now_micros) const {
  if (!wanted(db, run.run, occasion.kind, now_micros)) return;
  put_report(db, run.run, gather(db, run, occasion, host_, now_micros), occasion.key, now_micros);
}

std::vector<std::string> MailDesk::put_test(Database& db, std::int64_t now_micros) const {
  if (settings_.route == MailRoute::kNone) {
    throw Error(ErrorKind::kState,
                "mail is turned off: set transport and to in [mail] of "
                "traind.toml");
  }
  Report report;
  report.kind = ReportKind::kTest;
  report.host = host_;
  report.now_micros = now_micros;
  put_report(db, 0, report, "test-" + make_ulid(now_micros), now_micros);
  return settings_.to;
}

bool MailDesk::wanted(Database& db, std::int64_t run, ReportKind kind,
                      std::int64_t now_micros) const {
  if (settings_.route == MailRoute::kNone) return false;
  if (kind == ReportKind::kStart) return settings_.on_start;
  if (kind == ReportKind::kEpoch) return settings_.every_epoch;
  if (kind != ReportKind::kRestart) return true;
  const std::int64_t last = newest_mail_micros(db, run, name_of(kind));
  return settings_.on_restart && (last == 0 || last > now_micros || now_micros - last >= kHour);
}

void MailDesk::put_report(Database& db, std::int64_t run, const Report& report,
                          const std::string& key, std::int64_t now_micros) const {
  OutboxRow mail;
  mail.run = run;
  mail.kind = name_of(report.kind);
  mail.key = key;
  mail.created_micros = now_micros;
  mail.give_up_micros = now_micros + kGiveUp;
  std::vector<std::string> messages;
  try {
    const Mail content = compose_mail(report);
    mail.subject = content.subject;
    for (const std::string& recipient : settings_.to) {
      messages.push_back(render_message(content, settings_.identity, report, recipient, key));
    }
  } catch (const std::exception& error) {
    spdlog::error("no mail {} for run {}: {}", key, report.run.name, printable(error.what()));
    return;
  }
  for (std::size_t i = 0; i < messages.size(); ++i) {
    mail.recipient = settings_.to[i];
    mail.file_stem = file_stem(report, key, i);
    mail.message = std::move(messages[i]);
    put_mail(db, mail);
  }
}

}  // namespace traind
