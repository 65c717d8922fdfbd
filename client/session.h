// What a verb works with: the options, the way to traind, where results and talk go, and how they
// are to look.
//
// Made once in main(); the verbs run on the main thread.
#pragma once

#include <string>

#include "client/connection.h"
#include "client/json_of.h"
#include "client/look.h"
#include "client/options.h"
#include "client/output.h"
#include "client/terminal_text.h"

namespace traind {

struct Session {
  const Options& options;
  Connection& connection;
  Output& out;   // results
  Output& talk;  // everything else
  Look look;     // of results

  // A sentence on standard error, unless --quiet; whatever is in it becomes harmless.
  void say(const std::string& sentence) {
    if (!options.quiet) talk.write("trainctl: " + neutral(sentence) + "\n");
  }
};

}  // namespace traind
