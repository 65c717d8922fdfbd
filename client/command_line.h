// Reads trainctl's command line: CLI11's work, with our exit codes and our words.
//
// A pure function of its arguments and TRAINCTL_HOST; called once, in main().
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/exit_code.h"
#include "client/options.h"

namespace traind {

// A command line that is answered without asking traind: help and --version.
struct Answer {
  std::string text;  // for standard output
};

struct CommandLine {
  Options options;
  std::optional<Answer> answer;
};

// `arguments` without the program's name. Throws Failure(kUsage).
CommandLine parse_command_line(std::vector<std::string> arguments);

}  // namespace traind
