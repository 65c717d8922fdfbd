// Mails in the database: written with what they report, sent later by the mailer.
//
// Functions on a connection; the caller holds its transaction. Throw what Database throws.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/sqlite.h"

namespace traind {

struct OutboxRow {
  std::int64_t id = 0;
  std::int64_t run = 0;  // 0 = a test mail
  std::string run_name;
  std::string kind;
  std::string key;  // the reason, once per run and recipient: "start-1", "epoch-3"
  std::string recipient;
  std::string subject;
  std::string file_stem;
  std::string message;  // whole; empty once sent
  std::string state;    // "waiting", "sent" or "dead"
  int attempts = 0;
  std::string last_error;
  std::int64_t created_micros = 0;
  std::int64_t give_up_micros = 0;
  std::int64_t next_attempt_micros = 0;
  std::int64_t sent_micros = 0;
};

struct OutboxCounts {
  int waiting = 0;
  int dead = 0;
  std::string error;  // the newest one of those
};

// False when the run already has a mail with this key for this recipient.
bool put_mail(Database& db, const OutboxRow& mail);
// Time of the newest mail of a kind; 0 = none.
std::int64_t newest_mail_micros(Database& db, std::int64_t run, const std::string& kind);

// The first waiting mail that is due. Mails of one run to one recipient go in order: one that has
// to wait holds back those after it.
std::optional<OutboxRow> due_mail(Database& db, std::int64_t now_micros,
                                  std::int64_t longest_wait_micros);
// When the next mail that may go is due; 0 = none is waiting.
std::int64_t next_due_micros(Database& db);

// Counts the attempt before it is made, so that a crash in it is not repeated at once.
void lease_mail(Database& db, std::int64_t id, std::int64_t next_attempt_micros);
void mark_sent(Database& db, std::int64_t id, std::int64_t now_micros);
void mark_waiting(Database& db, std::int64_t id, const std::string& error,
                  std::int64_t next_attempt_micros);
void mark_dead(Database& db, std::int64_t id, const std::string& error);
// Makes mails that are dead, or wait for a later attempt, due at once (0 = all of them); returns
// how many.
int revive_mails(Database& db, std::int64_t id, std::int64_t now_micros,
                 std::int64_t give_up_micros);
// True when there is such a mail, in whatever state.
bool mail_exists(Database& db, std::int64_t id);

// Newest first, without their text.
std::vector<OutboxRow> list_mails(Database& db, int limit);
OutboxCounts count_mails(Database& db);

}  // namespace traind
