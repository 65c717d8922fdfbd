// traind-worker: trains one run on one device. See docs/worker.md.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "model/base/error.h"
#include "model/worker/commands.h"
#include "model/worker/control_reader.h"

namespace {

constexpr int kUsage = 64;  // sysexits(3)

int run(int argc, char** argv) {
  CLI::App app("Trains one run on one device; started by traind, or by hand.");
  app.set_version_flag("--version", "traind-worker " TRAIND_VERSION);
  app.require_subcommand(1);
  traind::TrainArguments train;
  CLI::App* train_app = app.add_subcommand("train", "Train in the foreground");
  train_app->add_option("run_file", train.run_file, "run.toml")->required();
  train_app->add_option("--folder", train.folder, "Where checkpoints go (default ./NAME)");
  train_app->add_flag("--accept-changed-data", train.accept_changed_data,
                      "Resume although the corpus is not what it was");
  traind::RunArguments trained;
  CLI::App* run_app = app.add_subcommand("run", "Train for the daemon");
  run_app->add_option("--folder", trained.folder, "The run's folder")->required();
  run_app->add_flag("--accept-changed-data", trained.accept_changed_data);
  traind::CheckArguments check;
  CLI::App* check_app = app.add_subcommand("check", "Check a run file and its corpus");
  check_app->add_option("run_file", check.run_file, "run.toml")->required();
  check_app->add_option("--label", check.label, "What messages call the run file");
  check_app->add_option("--base", check.base, "Where relative corpus paths begin");
  check_app->add_option("--folder", check.folder, "Where the run will live")->required();
  check_app->add_option("--name", check.name, "The run's name");
  traind::TranslateArguments translate;
  CLI::App* translate_app = app.add_subcommand("translate", "Answer lines of standard input");
  translate_app->add_option("--folder", translate.folder, "The run's folder")->required();
  translate_app->add_flag("--best", translate.best, "From the best checkpoint, not the newest");
  translate_app->add_flag("--framed", translate.framed, "Answer in one protobuf message");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  if (*train_app) return traind::train_command(train);
  if (*run_app) return traind::run_command(trained);
  if (*check_app) return traind::check_command(check);
  return traind::translate_command(translate);
}

}  // namespace

int main(int argc, char** argv) {
  traind::block_signals();
  try {
    return run(argc, argv);
  } catch (const traind::Error& error) {
    std::fprintf(stderr, "traind-worker: %s\n", error.what());
    return traind::exit_code(error.kind());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "traind-worker: %s\n", error.what());
    return traind::exit_code(traind::ErrorKind::kInternal);
  }
}
