// What a mail is about: plain values that the daemon gathers from its store.
//
// Values; safe on any thread. Nothing here knows SQLite, gRPC or the network.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/train/events.h"
#include "model/train/run_file.h"

namespace traind {

enum class ReportKind { kStart, kEpoch, kEnd, kFailure, kRestart, kTest };

// "start", "epoch", "end", "failure", "restart", "test": as stored and shown.
const char* name_of(ReportKind kind) noexcept;

struct Report {
  ReportKind kind = ReportKind::kTest;
  std::string host;                   // the instance's name
  std::string run_id;                 // ULID; empty in a test mail
  RunFile run;                        // name and hyperparameters
  RunStarted started;                 // device, corpus sizes; newest start
  std::vector<MetricRow> rows;        // of the epoch this is about, by step
  std::vector<EpochDone> epochs;      // all finished ones; the last is the one this is about
  std::string reason;                 // state's reason in words; end, failure, restart
  std::vector<std::string> log_tail;  // failure and restart: last lines of the worker's log
  std::string checkpoint;             // newest good one's file name; empty = none
  std::string what_next;              // failure and restart: what happens next, a sentence
  double trained_seconds = 0;
  double seconds_left = -1;                  // -1 = not known
  std::int64_t now_micros = 0;               // Date of the mail
  std::int64_t finish_micros = 0;            // expected finish; 0 = not known
  int restarts = 0;                          // how often the worker was started again
  std::vector<SettingChanged> changes = {};  // newest few, oldest first
};

}  // namespace traind
