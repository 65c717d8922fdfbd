// The six things that traind-worker does; docs/worker.md describes them for those who call it.
//
// Each runs on the main thread to its end and returns the exit status. They throw Error only for
// what happens before there is a way to tell it otherwise.
#pragma once

#include <optional>
#include <string>

#include "model/train/run_file.h"
#include "model/train/translator.h"

namespace traind {

struct TrainArguments {
  std::string run_file;
  std::string folder;  // empty = ./NAME
  bool accept_changed_data = false;
  // In place of the run file's, and on resume no longer what they were.
  std::optional<double> learning_rate;
  std::optional<int> epochs;
  std::optional<int> batch_size;  // also in place of batch_tokens
  std::string from;               // a checkpoint whose weights a new run begins with; empty = none
};
// Trains in the foreground and prints progress.
int train_command(const TrainArguments& arguments);

struct RunArguments {
  std::string folder;
  bool accept_changed_data = false;
};
// Trains for the daemon: events on descriptor 3, control on descriptor 4.
int run_command(const RunArguments& arguments);

struct CheckArguments {
  std::string run_file;
  std::string label;   // what messages call the run file; empty = run_file
  std::string base;    // relative corpus paths are taken from here; empty = the run file's folder
  std::string folder;  // where the run will live, for free space; must exist
  std::string name;    // overrides the run file's; empty = that, else the file's own name
  std::string from;    // the checkpoint whose weights the run is to begin with; empty = none
};
// Writes one framed CheckReport to standard output. The status is 0 whatever it says.
int check_command(const CheckArguments& arguments);

// A run file without a name has its own file's, which becomes a folder's: Error(kConfig) when it is
// no name for a run.
void give_name(RunFile& run, const std::string& run_file);

struct TranslateArguments {
  std::string folder;
  TranslateOptions options;
  bool framed = false;  // a TranslateResult instead of lines
};
// Answers standard input, line by line.
int translate_command(const TranslateArguments& arguments);

struct HeldOutArguments {
  std::string folder;
};
// Writes the examples that the run is validated on, as it sees them.
int held_out_command(const HeldOutArguments& arguments);

struct VerifyArguments {
  std::string folder;
  std::string scratch;  // a folder of its own is made in it; empty = beside the run's
  bool framed = false;  // VerifyMessages instead of words
};
// Trains from the newest checkpoint's predecessor to it, apart from the run, and compares. The
// status is 1 when they differ, with `framed` only when nobody hears it.
int verify_command(const VerifyArguments& arguments);

}  // namespace traind
