// Writes the mails of a run into the outbox, in the transaction of what they report.
//
// Constant after construction; safe on any thread. Does not wait for the network, ever. A mail
// that cannot be composed is logged and left out: it must not take its epoch with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/config.h"
#include "daemon/run_rows.h"
#include "notifier/report.h"

namespace traind {

// What the database does not know about the reason for a mail.
struct Occasion {
  ReportKind kind = ReportKind::kTest;
  std::string key;  // once per run and recipient
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
  // Returns the recipients.
  std::vector<std::string> put_test(Database& db, std::int64_t now_micros) const;

 private:
  bool wanted(Database& db, std::int64_t run, ReportKind kind, std::int64_t now_micros) const;
  void put_report(Database& db, std::int64_t run, const Report& report, const std::string& key,
                  std::int64_t now_micros) const;

  const MailSettings settings_;
  const std::string host_;
};

}  // namespace traind
