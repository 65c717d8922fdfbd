#include "daemon/run_settings.h"

#include <cmath>

#include "model/base/error.h"
#include "notifier/figures.h"

namespace traind {
namespace {

std::string counted(std::int64_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

RunFile run_file_of(const RunRow& run) {
  try {
    return parse_run_file(run.started.config, run.name, "/");
  } catch (const Error&) {
    RunFile unknown;
    unknown.name = run.name;
    return unknown;
  }
}

RunFile with_settings(const std::string& text, const WantedSettings& wanted) {
  RunFile run = parse_run_file(text, "run.toml", "/");
  if (wanted.learning_rate) {
    if (!std::isfinite(*wanted.learning_rate)) {
      throw Error(ErrorKind::kConfig, "the learning rate must be a number");
    }
    run.train.learning_rate = *wanted.learning_rate;
  }
  if (wanted.epochs) run.train.epochs = *wanted.epochs;
  if (wanted.batch_size) {
    if (*wanted.batch_size < 1) throw Error(ErrorKind::kConfig, "the batch size must be above 0");
    run.train.batch_size = *wanted.batch_size;
    run.train.batch_tokens = 0;
  }
  // Reading it again finds what cannot be, by the rules that hold for every run file.
  return parse_run_file(to_toml(run), "the run file as it would be", "/");
}

std::string end_words(EndReason reason, const RunRow& run) {
  const TrainSection train = run_file_of(run).train;
  switch (reason) {
    case EndReason::kAllEpochs:
      return run.epochs == 1 ? "its one epoch" : "all " + counted(run.epochs, "epoch");
    case EndReason::kEarlyStop:
      if (train.patience == 0) return "early stop";
      return "early stop: no better " + measure_words(train.best) + " for " +
             counted(train.patience, "epoch");
    case EndReason::kStepLimit:
      return train.max_steps == 0 ? "step limit"
                                  : "step limit: " + counted(train.max_steps, "step");
    case EndReason::kTimeLimit:
      if (train.max_hours == 0) return "time limit";
      return "time limit: " + short_number(train.max_hours) +
             (train.max_hours == 1 ? " hour" : " hours") + " of training";
    case EndReason::kStopRequested:
      break;
  }
  return "stopped as asked";
}

}  // namespace traind
