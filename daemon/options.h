// traind's command line, as values. Functions; main thread.
#pragma once

#include <optional>
#include <string>

namespace traind {

struct DaemonOptions {
  std::string config;  // path of traind.toml; empty = defaults
  std::string state;   // overrides state_folder
  bool check_config = false;
  bool print_config = false;
};

// Prints help, version or a usage error; then `exit_status` is set and nothing is left to do.
DaemonOptions read_options(int argc, char** argv, std::optional<int>& exit_status);

}  // namespace traind
