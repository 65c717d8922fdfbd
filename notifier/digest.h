// What a digest says beside the newest epoch's report: which mails it stands for, and their
// figures.
//
// Pure functions of a report; safe on any thread. Every string they return is harmless already
// (safe_text.h), in UTF-8, and not yet escaped for HTML. Of any other report they say nothing.
#pragma once

#include <string>
#include <vector>

#include "notifier/report.h"

namespace traind {

// An epoch that got no mail of its own; shares as "70.4 %", "-" where there is none.
struct ToldEpochRow {
  std::string epoch;
  std::string loss;
  std::string valid_loss;
  std::string exact;
  std::string correction;
};

// "epochs 5 to 44 of 50"; "4 mails in one" where no epoch is among them.
std::string digest_title_of(const Report& report);
// "This mail stands for 41 that could not be sent in their time, ..."
std::string stands_for_of(const Report& report);
// An epoch's mail is among them.
bool stands_for(const Report& report, int epoch);
// The restarts and warnings among them: "2026-11-21 09:49 UTC: restarted (2): ...".
std::vector<std::string> told_incidents_of(const Report& report);
// The epochs among them, oldest first; of very many the first, the last, and some between, evenly.
std::vector<ToldEpochRow> told_epochs_of(const Report& report);

}  // namespace traind
