// The four things that traind-worker does; docs/worker.md describes them for those who call it.
//
// Each runs on the main thread to its end and returns the exit status. They throw Error only for
// what happens before there is a way to tell it otherwise.
#pragma once

#include <string>

namespace traind {

struct TrainArguments {
  std::string run_file;
  std::string folder;  // empty = ./NAME
  bool accept_changed_data = false;
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
};
// Writes one framed CheckReport to standard output. The status is 0 whatever it says.
int check_command(const CheckArguments& arguments);

struct TranslateArguments {
  std::string folder;
  bool best = false;
  bool framed = false;  // a TranslateResult instead of lines
};
// Answers standard input, line by line.
int translate_command(const TranslateArguments& arguments);

}  // namespace traind
