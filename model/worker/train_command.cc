#include <filesystem>

#include "model/base/error.h"
#include "model/base/files.h"
#include "model/train/run_file.h"
#include "model/train/trainer.h"
#include "model/worker/commands.h"
#include "model/worker/console_sink.h"
#include "model/worker/control_reader.h"
#include "model/worker/gpu_gauges.h"
#include "model/worker/run_lock.h"

namespace traind {

int train_command(const TrainArguments& arguments) {
  const std::filesystem::path path = std::filesystem::absolute(arguments.run_file);
  RunFile run =
      parse_run_file(read_whole(arguments.run_file), arguments.run_file, path.parent_path());
  if (run.name.empty()) run.name = path.stem();
  TrainerControl control;
  const ControlReader reader(control, -1);
  TrainerOptions options;
  options.folder.path = arguments.folder.empty() ? run.name : arguments.folder;
  options.accept_changed_data = arguments.accept_changed_data;
  options.open_gauges = watch_gpu;
  make_folders(options.folder.path);
  // In the foreground a person waits: nobody else's lock is waited for.
  const RunLock lock(options.folder.lock_file(), std::chrono::seconds(0), [] {});
  // So that `translate` works on this folder too.
  write_durably(posix_files(), options.folder.run_file(), to_toml(run));
  ConsoleSink events(control);
  Trainer(run, options, events, control).run();
  return 0;
}

}  // namespace traind
