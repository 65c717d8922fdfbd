#include <filesystem>

#include "model/base/error.h"
#include "model/base/files.h"
#include "model/checkpoint/store.h"
#include "model/train/initial_weights.h"
#include "model/train/run_file.h"
#include "model/train/trainer.h"
#include "model/worker/commands.h"
#include "model/worker/console_sink.h"
#include "model/worker/control_reader.h"
#include "model/worker/gpu_gauges.h"
#include "model/worker/run_lock.h"

namespace traind {

namespace {

// Puts the command's values in place of the run file's, and says which these are.
Changes apply_changes(const TrainArguments& arguments, TrainSection& train) {
  if (arguments.learning_rate) train.learning_rate = *arguments.learning_rate;
  if (arguments.epochs) train.epochs = *arguments.epochs;
  if (arguments.batch_size) {
    train.batch_size = *arguments.batch_size;
    train.batch_tokens = 0;
  }
  return {arguments.learning_rate.has_value(), arguments.epochs.has_value(),
          arguments.batch_size.has_value()};
}

// A run that has a checkpoint goes on from that, wherever it once began.
void place_initial(const std::string& from, const RunFolder& folder) {
  if (from.empty()) return;
  const CheckpointStore store(posix_files(), folder.checkpoints());
  if (store.list().empty()) copy_initial(posix_files(), from, folder.initial());
}

}  // namespace

int train_command(const TrainArguments& arguments) {
  const std::filesystem::path path = std::filesystem::absolute(arguments.run_file);
  RunFile run =
      parse_run_file(read_whole(arguments.run_file), arguments.run_file, path.parent_path());
  give_name(run, arguments.run_file);
  TrainerControl control;
  const ControlReader reader(control, -1);
  TrainerOptions options;
  options.folder.path = arguments.folder.empty() ? run.name : arguments.folder;
  options.accept_changed_data = arguments.accept_changed_data;
  options.changes = apply_changes(arguments, run.train);
  options.open_gauges = watch_gpu;
  options.needs_space = true;
  make_folders(options.folder.path);
  // In the foreground a person waits: nobody else's lock is waited for.
  const RunLock lock(options.folder.lock_file(), std::chrono::seconds(0), [] {});
  // So that `translate` works on this folder too.
  write_durably(posix_files(), options.folder.run_file(), to_toml(run));
  place_initial(arguments.from, options.folder);
  ConsoleSink events(control);
  Trainer(run, options, events, control).run();
  return 0;
}

}  // namespace traind
