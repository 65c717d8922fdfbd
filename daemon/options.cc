#include "daemon/options.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <sstream>

#include "model/base/plain_text.h"

namespace traind {
namespace {

constexpr int kUsage = 64;  // EX_USAGE

// CLI11 repeats what it was given.
void write_lines(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) std::cerr << one_line(line) << "\n";
}

}  // namespace

DaemonOptions read_options(int argc, char** argv, std::optional<int>& exit_status) {
  DaemonOptions options;
  CLI::App app("Trains neural networks, keeps what they tell, and answers trainctl.", "traind");
  app.set_version_flag("--version", std::string("traind ") + TRAIND_VERSION);
  app.add_option("--config", options.config, "The daemon's file, traind.toml")->type_name("FILE");
  app.add_option("--state", options.state, "Folder of database, runs and mails")->type_name("DIR");
  app.add_flag("--check-config", options.check_config, "Say what is wrong with it, or ok");
  app.add_flag("--print-config", options.print_config, "Print it with every default filled in");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream complaint;
    exit_status = app.exit(error, std::cout, complaint) == 0 ? 0 : kUsage;
    write_lines(complaint.str());
  }
  return options;
}

}  // namespace traind
