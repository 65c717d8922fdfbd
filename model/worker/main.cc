// traind-worker: trains one run on one device. See docs/worker.md.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "model/base/error.h"
#include "model/worker/commands.h"
#include "model/worker/console.h"
#include "model/worker/control_reader.h"
#include "model/worker/want_of_memory.h"

namespace {

constexpr int kUsage = 64;  // sysexits(3)

void add_translate_options(CLI::App& app, traind::TranslateArguments& translate) {
  traind::TranslateOptions& options = translate.options;
  app.add_option("folder,--folder", translate.folder, "The run's folder")->required();
  app.add_flag("--best", options.best, "From the best checkpoint, not the newest");
  app.add_option("--beam", options.beam, "Hypotheses kept (default as in the run file)")
      ->check(CLI::Range(1, traind::kMostBeam));
  app.add_option("--n-best", options.answers, "Answers to a line, with scores (default 1)")
      ->check(CLI::Range(1, traind::kMostBeam));
  app.add_option("--temperature", options.temperature,
                 "Draw answers, above 1 wilder and below 1 tamer ones")
      ->check(CLI::Range(0.0, 100.0));
  app.add_option("--seed", options.seed, "What is drawn (default 1)");
  app.add_option("--max-tokens", options.max_tokens, "Cut answers off after so many tokens")
      ->check(CLI::Range(1, 100'000));
  app.add_flag("--framed", translate.framed, "Answer in one protobuf message");
}

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
  train_app
      ->add_option("--learning-rate", train.learning_rate,
                   "In place of the run file's; also on resume")
      ->check(CLI::Range(1e-12, 100.0));
  train_app->add_option("--epochs", train.epochs, "Likewise")->check(CLI::Range(1, 1'000'000));
  train_app->add_option("--batch-size", train.batch_size, "Likewise, from the next epoch on")
      ->check(CLI::Range(1, 65'536));
  train_app->add_option("--from", train.from, "A checkpoint whose weights a new run begins with");
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
  check_app->add_option("--from", check.from, "The checkpoint whose weights it will begin with");
  traind::TranslateArguments translate;
  CLI::App* translate_app = app.add_subcommand("translate", "Answer lines of standard input");
  add_translate_options(*translate_app, translate);
  traind::HeldOutArguments held_out;
  CLI::App* held_out_app =
      app.add_subcommand("heldout", "Write the examples that the run is validated on");
  held_out_app->add_option("folder,--folder", held_out.folder, "The run's folder")->required();
  traind::VerifyArguments verify;
  CLI::App* verify_app =
      app.add_subcommand("verify", "Train between the two newest checkpoints anew, and compare");
  verify_app->add_option("folder,--folder", verify.folder, "The run's folder")->required();
  verify_app->add_option("--scratch", verify.scratch,
                         "Where to train meanwhile (default: beside the run's folder)");
  verify_app->add_flag("--framed", verify.framed, "Answer in protobuf messages");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    // CLI11 repeats what it was given.
    traind::complain(error.what());
    std::fputs("Run with --help for more information.\n", stderr);
    return kUsage;
  }
  if (*train_app) return traind::train_command(train);
  if (*run_app) return traind::run_command(trained);
  if (*check_app) return traind::check_command(check);
  if (*held_out_app) return traind::held_out_command(held_out);
  if (*verify_app) return traind::verify_command(verify);
  return traind::translate_command(translate);
}

}  // namespace

int main(int argc, char** argv) {
  traind::block_signals();
  traind::prepare_for_want_of_memory();
  try {
    return run(argc, argv);
  } catch (const std::exception& caught) {
    const traind::Error error = traind::error_of(caught);
    traind::complain(error.what());
    return traind::exit_code(error.kind());
  }
}
