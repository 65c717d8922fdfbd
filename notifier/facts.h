// What a mail says, in words and figures, before it is laid out as text or as HTML.
//
// Pure functions of a report; safe on any thread. Every string they return is harmless already
// (safe_text.h), in UTF-8, and not yet escaped for HTML.
#pragma once

#include <string>
#include <vector>

#include "notifier/report.h"

namespace traind {

struct Fact {
  std::string label;
  std::string value;
};

// One line of the table of held-out figures: shares as "70.4 %", "-" where there is none.
struct FigureRow {
  std::string epoch;
  std::string exact;
  std::string characters;
  std::string correction;
  std::string copying;
  bool best = false;
};

struct SampleWords {
  bool right = false;
  std::string source;
  std::string output;
  std::string wanted;
};

// What happened comes first, and the log is shown if there is one.
bool is_about_trouble(ReportKind kind);
std::string subject_of(const Report& report);
std::string run_name_of(const Report& report);
// "spelling: epoch 3 of 10 is done"
std::string headline_of(const Report& report);
// "Run 01J..., on gpu-1, cuda (NVIDIA L4)"; empty parts are left out.
std::string whereabouts_of(const Report& report);
std::vector<Fact> hyperparameters_of(const Report& report);
// "Epoch   3/4 Batch    100/32453 ...": the first and last few rows, "..." between.
std::vector<std::string> batch_lines_of(const Report& report);
// "Model training for 21h:2m:48s and saved.", "Current accuracy = 70.4%"
std::vector<std::string> result_lines_of(const Report& report);
// "5,000 held-out examples, 4,012 of them with errors in the input"; empty before an epoch.
std::string held_out_of(const Report& report);
// The newest few epochs, oldest first; a digest has a table of its own.
std::vector<FigureRow> figures_of(const Report& report);
// Losses, rate, time left, checkpoint, digest: those that are known.
std::vector<Fact> standing_of(const Report& report);
std::vector<SampleWords> samples_of(const Report& report);
// Newest lines of the worker's log, if the report has them.
std::vector<std::string> log_lines_of(const Report& report, std::size_t columns);
// "trainctl status spelling", ready to be pasted into a shell.
std::vector<std::string> commands_of(const Report& report);

}  // namespace traind
