// Reports as the daemon would gather them, for goldens and for trouble.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "notifier/mail.h"
#include "notifier/report.h"

namespace traind {

// A run named "spelling" in the middle of its life, as told in a mail of `kind`.
Report sample_report(ReportKind kind);

// The same without rows and with one epoch: no chart, so that thousands of mails are quick.
Report small_report(ReportKind kind);

MailIdentity sample_identity();

std::vector<ReportKind> all_report_kinds();

// Strings that have broken mail programs and terminals before; none longer than 4096 bytes.
std::vector<std::string> hostile_strings();

// What of a mail comes from outside, and how to put a string there.
struct OutsideField {
  const char* name;
  std::function<void(Report&, MailIdentity&, const std::string&)> put;
};
std::vector<OutsideField> outside_fields();

}  // namespace traind
