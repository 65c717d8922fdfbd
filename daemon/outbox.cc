#include "daemon/outbox.h"

namespace traind {
namespace {

#define TRAIND_FIRST_OF_ITS_ROW                                                      \
  "AND NOT EXISTS (SELECT 1 FROM outbox AS earlier WHERE earlier.state = 'waiting' " \
  "AND earlier.id < mail.id AND earlier.run IS mail.run AND earlier.recipient = mail.recipient)"

}  // namespace

bool put_mail(Database& db, const OutboxRow& mail) {
  return db.run(
             "INSERT INTO outbox (run, kind, key, recipient, subject, file_stem, message, "
             "created_micros, give_up_micros, next_attempt_micros) "
             "VALUES (nullif(?1, 0), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) "
             "ON CONFLICT (run, key, recipient) DO NOTHING",
             mail.run, mail.kind, mail.key, mail.recipient, mail.subject, mail.file_stem,
             Blob{mail.message}, mail.created_micros, mail.give_up_micros, mail.created_micros) > 0;
}

std::int64_t newest_mail_micros(Database& db, std::int64_t run, const std::string& kind) {
  Query row =
      db.query("SELECT coalesce(max(created_micros), 0) FROM outbox WHERE run = ?1 AND kind = ?2",
               run, kind);
  row.next();
  return row.integer(0);
}

std::optional<OutboxRow> due_mail(Database& db, std::int64_t now_micros,
                                  std::int64_t longest_wait_micros) {
  // A time further away than any wait is of a clock that has been set back since.
  Query row = db.query(
      "SELECT id, coalesce(run, 0), kind, key, recipient, subject, file_stem, message, attempts, "
      "created_micros, give_up_micros FROM outbox AS mail "
      "WHERE state = 'waiting' AND (next_attempt_micros <= ?1 OR next_attempt_micros > ?1 + "
      "?2) " TRAIND_FIRST_OF_ITS_ROW " ORDER BY id LIMIT 1",
      now_micros, longest_wait_micros);
  if (!row.next()) return std::nullopt;
  OutboxRow mail;
  mail.id = row.integer(0);
  mail.run = row.integer(1);
  mail.kind = row.text(2);
  mail.key = row.text(3);
  mail.recipient = row.text(4);
  mail.subject = row.text(5);
  mail.file_stem = row.text(6);
  mail.message = row.blob(7);
  mail.state = "waiting";
  mail.attempts = static_cast<int>(row.integer(8));
  mail.created_micros = row.integer(9);
  mail.give_up_micros = row.integer(10);
  return mail;
}

std::int64_t next_due_micros(Database& db) {
  Query row = db.query(
      "SELECT coalesce(min(next_attempt_micros), 0) FROM outbox AS mail WHERE state = "
      "'waiting' " TRAIND_FIRST_OF_ITS_ROW);
  row.next();
  return row.integer(0);
}

void lease_mail(Database& db, std::int64_t id, std::int64_t next_attempt_micros) {
  db.run("UPDATE outbox SET attempts = attempts + 1, next_attempt_micros = ?2 WHERE id = ?1", id,
         next_attempt_micros);
}

void mark_sent(Database& db, std::int64_t id, std::int64_t now_micros) {
  db.run(
      "UPDATE outbox SET state = 'sent', sent_micros = ?2, message = NULL, last_error = '' "
      "WHERE id = ?1",
      id, now_micros);
}

void mark_waiting(Database& db, std::int64_t id, const std::string& error,
                  std::int64_t next_attempt_micros) {
  db.run("UPDATE outbox SET last_error = ?2, next_attempt_micros = ?3 WHERE id = ?1", id, error,
         next_attempt_micros);
}

void mark_dead(Database& db, std::int64_t id, const std::string& error) {
  db.run("UPDATE outbox SET state = 'dead', last_error = ?2 WHERE id = ?1", id, error);
}

int revive_mails(Database& db, std::int64_t id, std::int64_t now_micros,
                 std::int64_t give_up_micros) {
  return db.run(
      "UPDATE outbox SET state = 'waiting', next_attempt_micros = ?2, "
      "give_up_micros = ?3, attempts = 0 WHERE state <> 'sent' AND (?1 = 0 OR id = ?1)",
      id, now_micros, give_up_micros);
}

bool mail_exists(Database& db, std::int64_t id) {
  return db.query("SELECT 1 FROM outbox WHERE id = ?1", id).next();
}

std::vector<OutboxRow> list_mails(Database& db, int limit) {
  std::vector<OutboxRow> mails;
  Query row = db.query(
      "SELECT outbox.id, coalesce(outbox.run, 0), coalesce(runs.name, ''), kind, key, recipient, "
      "subject, file_stem, outbox.state, attempts, last_error, outbox.created_micros, sent_micros, "
      "next_attempt_micros FROM outbox LEFT JOIN runs USING (run) "
      "ORDER BY outbox.id DESC LIMIT ?1",
      limit);
  while (row.next()) {
    OutboxRow mail;
    mail.id = row.integer(0);
    mail.run = row.integer(1);
    mail.run_name = row.text(2);
    mail.kind = row.text(3);
    mail.key = row.text(4);
    mail.recipient = row.text(5);
    mail.subject = row.text(6);
    mail.file_stem = row.text(7);
    mail.state = row.text(8);
    mail.attempts = static_cast<int>(row.integer(9));
    mail.last_error = row.text(10);
    mail.created_micros = row.integer(11);
    mail.sent_micros = row.integer(12);
    mail.next_attempt_micros = row.integer(13);
    mails.push_back(std::move(mail));
  }
  return mails;
}

OutboxCounts count_mails(Database& db) {
  OutboxCounts counts;
  Query row = db.query("SELECT state, last_error FROM outbox WHERE state <> 'sent' ORDER BY id");
  while (row.next()) {
    ++(row.text(0) == "dead" ? counts.dead : counts.waiting);
    if (const std::string error = row.text(1); !error.empty()) counts.error = error;
  }
  return counts;
}

}  // namespace traind
