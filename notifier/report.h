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

// A warning is about something that does not end the run: a damaged checkpoint, a disk that fills.
// A digest stands for several mails that could not be sent in their time.
enum class ReportKind { kStart, kEpoch, kEnd, kFailure, kRestart, kWarning, kDigest, kTest };

// "start", "epoch", "end", "failure", "restart", "warning", "digest", "test": as stored and shown.
const char* name_of(ReportKind kind) noexcept;

// A mail that was never sent, because a digest tells the same.
struct ToldMail {
  ReportKind kind = ReportKind::kEpoch;  // epoch, restart or warning
  int epoch = 0;                         // of an epoch's mail
  std::int64_t written_micros = 0;
  std::string subject;
};

struct Report {
  ReportKind kind = ReportKind::kTest;
  std::string host;                   // the instance's name
  std::string run_id;                 // ULID; empty in a test mail
  RunFile run;                        // name and hyperparameters
  RunStarted started;                 // device, corpus sizes; newest start
  std::vector<MetricRow> rows;        // of the epoch this is about, by step
  std::vector<EpochDone> epochs;      // all finished ones; the last is the one this is about
  std::string reason;                 // what happened, in words; end and all trouble
  std::vector<std::string> log_tail;  // failure and restart: last lines of the worker's log
  std::string checkpoint;             // newest good one's file name; empty = none
  std::string what_next;              // what happens next, a sentence; trouble
  double trained_seconds = 0;
  double seconds_left = -1;                  // -1 = not known
  std::int64_t now_micros = 0;               // Date of the mail
  std::int64_t finish_micros = 0;            // expected finish; 0 = not known
  int restarts = 0;                          // how often the worker was started again
  std::vector<SettingChanged> changes = {};  // newest few, oldest first
  std::vector<ToldMail> told = {};           // digest: what it stands for, oldest first
};

}  // namespace traind
