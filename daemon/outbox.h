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
  std::string message;           // whole; empty once sent or folded
  std::string state;             // "waiting", "sent", "folded" or "dead"
  std::int64_t place = 0;        // order among the mails of a run to a recipient
  std::int64_t folded_into = 0;  // the digest that stands for it; 0 = none
  int attempts = 0;
  std::string last_error;
  bool perhaps_sent = false;       // an attempt ended without a verdict: it may have arrived
  std::int64_t waited_micros = 0;  // time in which traind tried, by the steady clock
  std::int64_t created_micros = 0;
  std::int64_t next_attempt_micros = 0;
  std::int64_t sent_micros = 0;
};

struct OutboxCounts {
  int waiting = 0;
  int dead = 0;
  std::string error;  // the newest one of those
};

// False when the run already has a mail with this key for this recipient. Comes last in its row,
// unless mail.place is set.
bool put_mail(Database& db, const OutboxRow& mail);
// Time of the newest mail of a run whose key begins so; 0 = none. The newest is the one written
// last: a clock that went wrong for a while does not make a mail the newest for years.
std::int64_t newest_mail_micros(Database& db, std::int64_t run, const std::string& key_begin);

// The next mail that is due. Mails of one run to one recipient are a row and go in order: one that
// has to wait holds back those after it. Of several rows that go first whose first mail was tried
// the fewest times, so that none which fails again and again holds up the others.
std::optional<OutboxRow> due_mail(Database& db, std::int64_t now_micros,
                                  std::int64_t longest_wait_micros);
// When the next mail that may go is due; 0 = none is waiting.
std::int64_t next_due_micros(Database& db);
// The waiting mails of a row in order, without their text.
std::vector<OutboxRow> waiting_row(Database& db, std::int64_t run, const std::string& recipient);

// Counts the attempt before it is made, so that a crash in it is not repeated at once; until its
// end is known the mail may have arrived.
void lease_mail(Database& db, std::int64_t id, std::int64_t next_attempt_micros);
// All that wait have waited so much longer. One row tells it for all of them.
void age_mails(Database& db, std::int64_t micros);
void mark_sent(Database& db, std::int64_t id, std::int64_t now_micros);
void mark_waiting(Database& db, std::int64_t id, const std::string& error, bool perhaps_sent,
                  std::int64_t next_attempt_micros);
void mark_dead(Database& db, std::int64_t id, const std::string& error);
// It will not be sent: `digest` tells the same.
void mark_folded(Database& db, std::int64_t id, std::int64_t digest);
// Those that a digest stands for already, in order, without their text.
std::vector<OutboxRow> folded_mails(Database& db, std::int64_t digest);
// A digest that stands for more than before: subject, key, file_stem, message, place, waited and
// created are those of `digest`, which keeps its id and its attempts.
void replace_digest(Database& db, const OutboxRow& digest);
// None that waits goes before this time, for this reason: the server is not there for any of them.
void hold_mails(Database& db, const std::string& error, std::int64_t until_micros);
// All that wait are due: the server is back.
void release_mails(Database& db, std::int64_t now_micros);
// Makes mails that are dead, or wait for a later attempt, due at once (0 = all of them); returns
// how many.
int revive_mails(Database& db, std::int64_t id, std::int64_t now_micros);
// What became of it; empty = there is no such mail.
std::string mail_state(Database& db, std::int64_t id);

// Newest first, without their text.
std::vector<OutboxRow> list_mails(Database& db, int limit);
OutboxCounts count_mails(Database& db);

}  // namespace traind
