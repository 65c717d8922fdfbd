// What the command line asks for, once it is understood.
//
// A value: filled by parse_command_line(), constant afterwards.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "client/plot.h"

namespace traind {

enum class Verb {
  kStatus,
  kWatch,
  kRuns,
  kStart,
  kStop,
  kResume,
  kWait,
  kSave,
  kMetrics,
  kPlot,
  kLogs,
  kCheckpoints,
  kTranslate,
  kVerify,
  kMailTest,
  kMailList,
  kMailRetry,
  kVersion,
};

struct Options {
  Verb verb = Verb::kStatus;

  // For every verb.
  std::string host;
  double timeout_seconds = 0;  // of one call; 0 = the usual
  bool json = false;
  bool quiet = false;
  bool no_color = false;
  bool ascii = false;

  // Of single verbs.
  std::string run;                      // name or id; empty = the active one, else the newest
  std::string run_file;                 // start
  std::string name;                     // start
  bool watch = false;                   // start
  bool wait = false;                    // stop
  std::string from;                     // start; RUN or RUN@CHECKPOINT, empty = drawn weights
  bool accept_changed_data = false;     // resume
  std::optional<double> learning_rate;  // resume
  std::optional<int> epochs;            // resume
  std::optional<int> batch_size;        // resume
  double wait_seconds = 0;              // wait; 0 = for ever
  bool exit_code = false;               // status
  std::int64_t after = 0;               // watch: sequence; metrics: step
  bool csv = false;                     // metrics
  bool jsonl = false;                   // metrics
  Scale scale = Scale::kLinear;         // plot
  int height = 20;                      // plot
  bool follow = false;                  // logs
  int tail_lines = 0;                   // logs; 0 = all
  bool best = false;                    // translate
  int beam = 0;                         // translate; 0 = as the run file says
  int n_best = 1;                       // translate
  double temperature = 0;               // translate; 0 = no sampling
  std::uint64_t seed = 0;               // translate
  int max_tokens = 0;                   // translate; 0 = the usual
  std::int64_t mail_id = 0;             // mail retry; 0 = all that are not sent
};

}  // namespace traind
