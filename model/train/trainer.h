// Trains a run from wherever it stands to its end, or until asked to stop.
//
// run() is called once, on one thread, and owns everything it uses; `control` may be used by other
// threads meanwhile. It waits for disk and device. Everything it has to say goes to `events`, on
// the same thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "model/backend/backend.h"
#include "model/base/files.h"
#include "model/train/control.h"
#include "model/train/events.h"
#include "model/train/run_file.h"
#include "model/train/run_folder.h"
#include "model/train/run_saver.h"
#include "model/train/settings_change.h"

namespace traind {

// A place on the way, where training is to end with a checkpoint as at a stop: TrainState's, of a
// checkpoint that was once saved there.
struct TrainingTarget {
  std::int64_t step = 0;
  std::int64_t batch = 0;  // 0 = its epoch is validated
  bool cut_short = false;  // a limit ended that epoch
};

struct TrainerOptions {
  RunFolder folder;
  bool accept_changed_data = false;
  Changes changes;                  // what may differ from the run file that the run began with
  FileOps* files = &posix_files();  // for checkpoints
  SavePatience patience;            // with a disk that refuses them
  // Where to end (verification.h); then no limit of the run file ends anything.
  std::optional<TrainingTarget> target;
  // Refuse to begin a run whose checkpoints do not fit on the disk; else that is told as a Notice.
  bool needs_space = false;
  std::function<ChosenBackend(const DeviceChoice&)> make_device = make_backend;
  // Called once with the device that was chosen; what it returns is called for each Progress and
  // MetricRow, on the trainer's thread, and must not wait. Either may be empty.
  std::function<std::function<GpuGauges()>(const DeviceInfo&)> open_gauges;
};

class Trainer {
 public:
  Trainer(RunFile run, TrainerOptions options, EventSink& events, TrainerControl& control);
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // Returns after RunEnded. Throws Error after any failure; the caller tells RunFailed.
  void run();

 private:
  struct Session;
  RunFile run_;
  TrainerOptions options_;
  EventSink& events_;
  TrainerControl& control_;
};

}  // namespace traind
