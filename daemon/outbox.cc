#include "daemon/outbox.h"

namespace traind {
namespace {

#define TRAIND_FIRST_OF_ITS_ROW                                                      \
  "AND NOT EXISTS (SELECT 1 FROM outbox AS earlier WHERE earlier.state = 'waiting' " \
  "AND earlier.place < mail.place AND earlier.run IS mail.run "                      \
  "AND earlier.recipient = mail.recipient)"

// For how long traind has ever been trying.
#define TRAIND_CLOCK "(SELECT tried_micros FROM mail_clock)"

// Everything but the run's name and the text.
#define TRAIND_MAIL_COLUMNS                                                                        \
  "mail.id, coalesce(mail.run, 0), kind, key, recipient, subject, file_stem, "                     \
  "mail.state, place, coalesce(folded_into, 0), attempts, last_error, perhaps_sent, " TRAIND_CLOCK \
  " - tried_from_micros, mail.created_micros, next_attempt_micros, sent_micros"
constexpr int kMailColumns = 17;

OutboxRow read_mail(Query& row) {
  OutboxRow mail;
  mail.id = row.integer(0);
  mail.run = row.integer(1);
  mail.kind = row.text(2);
  mail.key = row.text(3);
  mail.recipient = row.text(4);
  mail.subject = row.text(5);
  mail.file_stem = row.text(6);
  mail.state = row.text(7);
  mail.place = row.integer(8);
  mail.folded_into = row.integer(9);
  mail.attempts = static_cast<int>(row.integer(10));
  mail.last_error = row.text(11);
  mail.perhaps_sent = row.integer(12) != 0;
  mail.waited_micros = row.integer(13);
  mail.created_micros = row.integer(14);
  mail.next_attempt_micros = row.integer(15);
  mail.sent_micros = row.integer(16);
  return mail;
}

std::vector<OutboxRow> read_mails(Query rows) {
  std::vector<OutboxRow> mails;
  while (rows.next()) mails.push_back(read_mail(rows));
  return mails;
}

}  // namespace

bool put_mail(Database& db, const OutboxRow& mail) {
  return db.run(
             "INSERT INTO outbox (run, kind, key, recipient, subject, file_stem, message, place, "
             "attempts, last_error, tried_from_micros, created_micros, next_attempt_micros) "
             "VALUES (nullif(?1, 0), ?2, ?3, ?4, ?5, ?6, ?7, "
             "coalesce(nullif(?8, 0), (SELECT coalesce(max(id), 0) + 1 FROM outbox)), "
             "?9, ?10, " TRAIND_CLOCK
             " - ?11, ?12, ?12) ON CONFLICT (run, key, recipient) DO NOTHING",
             mail.run, mail.kind, mail.key, mail.recipient, mail.subject, mail.file_stem,
             Blob{mail.message}, mail.place, mail.attempts, mail.last_error, mail.waited_micros,
             mail.created_micros) > 0;
}

std::int64_t newest_mail_micros(Database& db, std::int64_t run, const std::string& key_begin) {
  Query row = db.query(
      "SELECT created_micros FROM outbox WHERE run = ?1 AND substr(key, 1, length(?2)) = ?2 "
      "ORDER BY id DESC LIMIT 1",
      run, key_begin);
  return row.next() ? row.integer(0) : 0;
}

std::optional<OutboxRow> due_mail(Database& db, std::int64_t now_micros,
                                  std::int64_t longest_wait_micros) {
  // A time further away than any wait is of a clock that has been set back since.
  Query row = db.query("SELECT " TRAIND_MAIL_COLUMNS
                       ", message FROM outbox AS mail "
                       "WHERE state = 'waiting' AND (next_attempt_micros <= ?1 OR "
                       "next_attempt_micros > ?1 + ?2) " TRAIND_FIRST_OF_ITS_ROW
                       " ORDER BY attempts, place LIMIT 1",
                       now_micros, longest_wait_micros);
  if (!row.next()) return std::nullopt;
  OutboxRow mail = read_mail(row);
  mail.message = row.blob(kMailColumns);
  return mail;
}

std::int64_t next_due_micros(Database& db) {
  Query row = db.query(
      "SELECT coalesce(min(next_attempt_micros), 0) FROM outbox AS mail WHERE state = "
      "'waiting' " TRAIND_FIRST_OF_ITS_ROW);
  row.next();
  return row.integer(0);
}

std::vector<OutboxRow> waiting_row(Database& db, std::int64_t run, const std::string& recipient) {
  return read_mails(db.query("SELECT " TRAIND_MAIL_COLUMNS
                             " FROM outbox AS mail WHERE state = 'waiting' AND run = ?1 "
                             "AND recipient = ?2 ORDER BY place",
                             run, recipient));
}

void lease_mail(Database& db, std::int64_t id, std::int64_t next_attempt_micros) {
  db.run(
      "UPDATE outbox SET attempts = attempts + 1, perhaps_sent = 1, next_attempt_micros = ?2 "
      "WHERE id = ?1",
      id, next_attempt_micros);
}

void age_mails(Database& db, std::int64_t micros) {
  db.run("UPDATE mail_clock SET tried_micros = tried_micros + ?1", micros);
}

void mark_sent(Database& db, std::int64_t id, std::int64_t now_micros) {
  db.run(
      "UPDATE outbox SET state = 'sent', sent_micros = ?2, message = NULL, last_error = '' "
      "WHERE id = ?1",
      id, now_micros);
}

void mark_waiting(Database& db, std::int64_t id, const std::string& error, bool perhaps_sent,
                  std::int64_t next_attempt_micros) {
  db.run(
      "UPDATE outbox SET last_error = ?2, perhaps_sent = ?3, next_attempt_micros = ?4 "
      "WHERE id = ?1",
      id, error, perhaps_sent, next_attempt_micros);
}

void mark_dead(Database& db, std::int64_t id, const std::string& error) {
  db.run("UPDATE outbox SET state = 'dead', last_error = ?2 WHERE id = ?1", id, error);
}

void mark_folded(Database& db, std::int64_t id, std::int64_t digest) {
  db.run(
      "UPDATE outbox SET state = 'folded', folded_into = ?2, message = NULL, last_error = '' "
      "WHERE id = ?1",
      id, digest);
}

std::vector<OutboxRow> folded_mails(Database& db, std::int64_t digest) {
  return read_mails(db.query("SELECT " TRAIND_MAIL_COLUMNS
                             " FROM outbox AS mail WHERE folded_into = ?1 ORDER BY place",
                             digest));
}

void replace_digest(Database& db, const OutboxRow& digest) {
  db.run(
      "UPDATE outbox SET key = ?2, subject = ?3, file_stem = ?4, message = ?5, place = ?6, "
      "tried_from_micros = " TRAIND_CLOCK " - ?7, created_micros = ?8 WHERE id = ?1",
      digest.id, digest.key, digest.subject, digest.file_stem, Blob{digest.message}, digest.place,
      digest.waited_micros, digest.created_micros);
}

void hold_mails(Database& db, const std::string& error, std::int64_t until_micros) {
  db.run(
      "UPDATE outbox SET next_attempt_micros = max(next_attempt_micros, ?1), last_error = ?2 "
      "WHERE state = 'waiting'",
      until_micros, error);
}

void release_mails(Database& db, std::int64_t now_micros) {
  db.run(
      "UPDATE outbox SET next_attempt_micros = ?1 WHERE state = 'waiting' "
      "AND next_attempt_micros > ?1",
      now_micros);
}

int revive_mails(Database& db, std::int64_t id, std::int64_t now_micros) {
  return db.run(
      "UPDATE outbox SET state = 'waiting', next_attempt_micros = ?2, "
      "tried_from_micros = " TRAIND_CLOCK
      ", attempts = 0 WHERE state IN ('waiting', 'dead') AND (?1 = 0 OR id = ?1)",
      id, now_micros);
}

std::string mail_state(Database& db, std::int64_t id) {
  Query row = db.query("SELECT state FROM outbox WHERE id = ?1", id);
  return row.next() ? row.text(0) : "";
}

std::vector<OutboxRow> list_mails(Database& db, int limit) {
  std::vector<OutboxRow> mails;
  Query row = db.query("SELECT " TRAIND_MAIL_COLUMNS
                       ", coalesce(runs.name, '') FROM outbox AS mail LEFT JOIN runs USING (run) "
                       "ORDER BY mail.id DESC LIMIT ?1",
                       limit);
  while (row.next()) {
    mails.push_back(read_mail(row));
    mails.back().run_name = row.text(kMailColumns);
  }
  return mails;
}

OutboxCounts count_mails(Database& db) {
  OutboxCounts counts;
  Query row = db.query(
      "SELECT state, last_error FROM outbox WHERE state IN ('waiting', 'dead') ORDER BY id");
  while (row.next()) {
    ++(row.text(0) == "dead" ? counts.dead : counts.waiting);
    if (const std::string error = row.text(1); !error.empty()) counts.error = error;
  }
  return counts;
}

}  // namespace traind
