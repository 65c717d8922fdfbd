// traind: supervises training and answers about it; never computes.
#include <cstdlib>
#include <iostream>

#include "daemon/config.h"
#include "daemon/daemon.h"
#include "daemon/logging.h"
#include "daemon/options.h"
#include "model/base/plain_text.h"

namespace {

int complain(const char* words, traind::ErrorKind kind) {
  std::cerr << "traind: " << traind::one_line(words) << "\n";
  return exit_code(kind);
}

}  // namespace

int main(int argc, char** argv) {
  std::optional<int> exit_status;
  const traind::DaemonOptions options = traind::read_options(argc, argv, exit_status);
  if (exit_status) return *exit_status;
  try {
    traind::prepare_process();
    const traind::Surroundings surroundings = traind::read_surroundings();
    const traind::DaemonConfig config =
        traind::load_config(options.config, options.state, surroundings);
    if (options.print_config) std::cout << to_toml(config);
    if (options.check_config) std::cout << "ok\n";
    if (options.print_config || options.check_config) return 0;
    traind::setup_logging(config.log_level);
    traind::Daemon daemon(config, surroundings.host);
    // A mail server that keeps silent must not keep a stopped daemon alive.
    if (!daemon.run()) std::_Exit(0);
    return 0;
  } catch (const traind::Error& error) {
    return complain(error.what(), error.kind());
  } catch (const std::exception& error) {
    return complain(error.what(), traind::ErrorKind::kInternal);
  }
}
