// Writes the mails of a run into the outbox, in the transaction of what they report.
//
// Constant after construction; safe on any thread. Does not wait for the network, ever. A mail
// that cannot be composed is logged and left out: it must not take its epoch with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/config.h"
#include "daemon/outbox.h"
#include "daemon/run_rows.h"
#include "notifier/report.h"

namespace traind {

// What the database does not know about the reason for a mail.
struct Occasion {
  ReportKind kind = ReportKind::kTest;
  std::string key;  // once per run and recipient; of a warning its topic, which may come again
  std::string reason;
  std::string what_next;
  std::vector<std::string> log_tail;
  double seconds_left = -1;
};

class MailDesk {
 public:
  MailDesk(const MailSettings& settings, std::string host)
      : settings_(settings), host_(std::move(host)) {}

  // Throws what Database throws.
  void put(Database& db, const RunRow& run, const Occasion& occasion,
           std::int64_t now_micros) const;
  // Where more than a few mails of a run to a recipient wait behind one another, those about
  // epochs, restarts and warnings become one digest in their place; it waits as long as the newest
  // of them would have. Start, end and failure stay mails of their own, and so does a mail that
  // may have arrived already. A folder is no inbox to be flooded: there it does nothing. Returns
  // how many mails have gone into a digest.
  int fold(Database& db, std::int64_t run, const std::string& recipient,
           std::int64_t now_micros) const;
  // Returns the recipients.
  std::vector<std::string> put_test(Database& db, std::int64_t now_micros) const;

 private:
  bool wanted(Database& db, std::int64_t run, const Occasion& occasion,
              std::int64_t now_micros) const;
  void put_report(Database& db, std::int64_t run, const Report& report, const std::string& key,
                  std::int64_t now_micros) const;
  int fold_part(Database& db, const RunRow& run, const std::vector<OutboxRow>& part,
                std::int64_t now_micros) const;

  const MailSettings settings_;
  const std::string host_;
};

}  // namespace traind
