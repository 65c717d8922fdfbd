#include <exception>

#include "model/base/files.h"
#include "model/train/run_file.h"
#include "model/train/trainer.h"
#include "model/worker/commands.h"
#include "model/worker/console.h"
#include "model/worker/control_reader.h"
#include "model/worker/gpu_gauges.h"
#include "model/worker/pipe_sink.h"
#include "model/worker/run_lock.h"

namespace traind {
namespace {

constexpr int kEventFd = 3;
constexpr int kControlFd = 4;
// The old worker saves when its daemon dies; that may take as long as a checkpoint takes.
constexpr std::chrono::seconds kLockPatience{120};

void train(const RunArguments& arguments, EventSink& events, TrainerControl& control) {
  const RunFolder folder{arguments.folder};
  const auto starting = [&] {
    if (control.stop_requested()) {
      throw Error(ErrorKind::kCancelled, "stopped while waiting for the run's lock");
    }
    Progress progress;
    progress.phase = Phase::kStarting;
    events.on_event(progress);
  };
  starting();
  const RunLock lock(folder.lock_file(), kLockPatience, starting);
  const RunFile run = parse_run_file(read_whole(folder.run_file()), folder.run_file(), folder.path);
  TrainerOptions options;
  options.folder = folder;
  options.accept_changed_data = arguments.accept_changed_data;
  // The folder's run file is the daemon's, which changes it when someone asks for that by name.
  options.changes = {.learning_rate = true, .epochs = true, .batch_size = true};
  options.open_gauges = watch_gpu;
  Trainer(run, options, events, control).run();
}

}  // namespace

int run_command(const RunArguments& arguments) {
  TrainerControl control;
  PipeSink events(kEventFd, control);
  const ControlReader reader(control, kControlFd);
  try {
    train(arguments, events, control);
    return 0;
  } catch (const std::exception& caught) {
    const Error error = error_of(caught);
    if (error.kind() == ErrorKind::kCancelled) {
      events.on_event(RunEnded{EndReason::kStopRequested, 0, 0, "", 0});
      return 0;
    }
    complain(error.what());
    events.on_event(RunFailed{error.kind(), error.what()});
    return exit_code(error.kind());
  }
}

}  // namespace traind
