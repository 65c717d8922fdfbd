#include "daemon/mail_desk.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <exception>

#include "daemon/history.h"
#include "daemon/logging.h"
#include "daemon/run_settings.h"
#include "daemon/training_rows.h"
#include "daemon/ulid.h"

namespace traind {
namespace {

constexpr std::int64_t kHour = 3'600'000'000;
constexpr int kChangesGathered = 10;
// So many mails may come one by one after an outage.
constexpr std::size_t kFew = 3;

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

std::string epoch_key(int epoch) { return "epoch-" + std::to_string(epoch); }

ToldMail told_mail(const OutboxRow& mail) {
  ToldMail told;
  told.kind = mail.kind == name_of(ReportKind::kEpoch)     ? ReportKind::kEpoch
              : mail.kind == name_of(ReportKind::kRestart) ? ReportKind::kRestart
                                                           : ReportKind::kWarning;
  if (told.kind == ReportKind::kEpoch) {
    const std::size_t digits = epoch_key(0).size() - 1;
    std::from_chars(mail.key.data() + digits, mail.key.data() + mail.key.size(), told.epoch);
  }
  told.written_micros = mail.created_micros;
  told.subject = mail.subject;
  return told;
}

bool is_digest(const OutboxRow& mail) { return mail.kind == name_of(ReportKind::kDigest); }

// Its words may be told by a digest instead, because nobody can have read them yet.
bool can_be_folded(const OutboxRow& mail) {
  const bool is_small = mail.kind == name_of(ReportKind::kEpoch) ||
                        mail.kind == name_of(ReportKind::kRestart) ||
                        mail.kind == name_of(ReportKind::kWarning) || is_digest(mail);
  return is_small && !mail.perhaps_sent;
}

// As it was after the newest of the epochs that are told: later ones have mails of their own.
void end_at_told_epochs(Database& db, std::int64_t run, Report& report) {
  int newest = 0;
  for (const ToldMail& mail : report.told) newest = std::max(newest, mail.epoch);
  if (newest == 0) return;
  const auto later = std::find_if(report.epochs.begin(), report.epochs.end(),
                                  [newest](const EpochDone& done) { return done.epoch > newest; });
  if (later != report.epochs.end()) report.trained_seconds = 0;  // then it is the epoch's own
  report.epochs.erase(later, report.epochs.end());
  report.rows = metrics_of_epoch(db, run, newest);
}

// What the keys of all warnings about one topic begin with.
std::string warning_key(const Occasion& occasion) { return "warning-" + occasion.key + "-"; }

}  // namespace

void MailDesk::put(Database& db, const RunRow& run, const Occasion& occasion,
                   std::int64_t now_micros) const {
  if (!wanted(db, run.run, occasion, now_micros)) return;
  const std::string key = occasion.kind == ReportKind::kWarning
                              ? warning_key(occasion) + std::to_string(now_micros)
                              : occasion.key;
  put_report(db, run.run, gather(db, run, occasion, host_, now_micros), key, now_micros);
}

int MailDesk::fold(Database& db, std::int64_t run, const std::string& recipient,
                   std::int64_t now_micros) const {
  const auto about = run_by_number(db, run);
  if (settings_.route != MailRoute::kSmtp || !about) return 0;
  int folded = 0;
  bool has_digest = false;
  std::vector<OutboxRow> part;  // neighbours that one digest could stand for
  const auto end_part = [&] {
    folded += fold_part(db, *about, part, now_micros);
    part.clear();
    has_digest = false;
  };
  for (const OutboxRow& mail : waiting_row(db, run, recipient)) {
    if (!can_be_folded(mail) || (is_digest(mail) && has_digest)) end_part();
    if (!can_be_folded(mail)) continue;
    has_digest = has_digest || is_digest(mail);
    part.push_back(mail);
  }
  end_part();
  return folded;
}

int MailDesk::fold_part(Database& db, const RunRow& run, const std::vector<OutboxRow>& part,
                        std::int64_t now_micros) const {
  const auto found = std::find_if(part.begin(), part.end(), is_digest);
  const bool is_new = found == part.end();
  if (part.size() <= (is_new ? kFew : 1)) return 0;
  OutboxRow digest = is_new ? part.front() : *found;
  std::vector<OutboxRow> told = is_new ? std::vector<OutboxRow>() : folded_mails(db, digest.id);
  for (const OutboxRow& mail : part) {
    if (!is_digest(mail)) told.push_back(mail);
    digest.attempts = std::max(digest.attempts, mail.attempts);
  }
  std::sort(told.begin(), told.end(),
            [](const OutboxRow& a, const OutboxRow& b) { return a.place < b.place; });

  Report report = gather(
      db, run,
      {.kind = ReportKind::kDigest, .key = {}, .reason = {}, .what_next = {}, .log_tail = {}},
      host_, now_micros);
  for (const OutboxRow& mail : told) report.told.push_back(told_mail(mail));
  end_at_told_epochs(db, run.run, report);
  digest.kind = name_of(ReportKind::kDigest);
  digest.place = part.back().place;
  digest.waited_micros = part.back().waited_micros;
  digest.created_micros = now_micros;
  // Of the text it has now: one that stands for more has another Message-ID.
  digest.key = "digest-" + std::to_string(digest.place);
  digest.file_stem = file_stem(report, digest.key, 0);
  try {
    const Mail content = compose_mail(report);
    digest.subject = content.subject;
    digest.message =
        render_message(content, settings_.identity, report, digest.recipient, digest.key);
  } catch (const std::exception& error) {
    spdlog::error("no digest for run {}: {}", run.name, printable(error.what()));
    return 0;
  }
  if (is_new) {
    put_mail(db, digest);
    digest.id = db.last_id();
  } else {
    replace_digest(db, digest);
  }
  int folded = 0;
  for (const OutboxRow& mail : part) {
    if (is_digest(mail)) continue;
    mark_folded(db, mail.id, digest.id);
    ++folded;
  }
  return folded;
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

bool MailDesk::wanted(Database& db, std::int64_t run, const Occasion& occasion,
                      std::int64_t now_micros) const {
  if (settings_.route == MailRoute::kNone) return false;
  // Trouble that comes again and again is told once an hour.
  const auto rare = [&](const std::string& key_begin) {
    const std::int64_t last = newest_mail_micros(db, run, key_begin);
    return last == 0 || last > now_micros || now_micros - last >= kHour;
  };
  switch (occasion.kind) {
    case ReportKind::kStart:
      return settings_.on_start;
    case ReportKind::kEpoch:
      return settings_.every_epoch;
    case ReportKind::kRestart:
      return settings_.on_restart && rare("restart-");
    case ReportKind::kWarning:
      return settings_.on_warning && rare(warning_key(occasion));
    case ReportKind::kEnd:
    case ReportKind::kFailure:
    case ReportKind::kDigest:
    case ReportKind::kTest:
      break;
  }
  return true;
}

void MailDesk::put_report(Database& db, std::int64_t run, const Report& report,
                          const std::string& key, std::int64_t now_micros) const {
  OutboxRow mail;
  mail.run = run;
  mail.kind = name_of(report.kind);
  mail.key = key;
  mail.created_micros = now_micros;
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
