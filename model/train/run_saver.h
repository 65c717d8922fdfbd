// Turns the trainer's state into checkpoints at the moments the run file names, and tells what
// became of them.
//
// Trainer's thread only. Interval saves wait for the copy alone; the saves at an epoch's end and at
// a stop wait until they are durable.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "model/checkpoint/store.h"
#include "model/checkpoint/writer.h"
#include "model/train/control.h"
#include "model/train/events.h"
#include "model/train/preparation.h"
#include "model/train/run_file.h"
#include "model/train/train_state.h"

namespace traind {

class RunSaver {
 public:
  RunSaver(const RunFile& run, const Preparation& ready, CheckpointStore& store, EventSink& events,
           TrainerControl& control);

  // To be asked after each update, with the number of batches since the run began: why a checkpoint
  // is to be saved now, if it is. Tells what became of an earlier save.
  std::optional<CheckpointReason> due(std::int64_t batches);
  // Saves what is due. A save that fails is told as a Notice and tried again after the next
  // interval.
  void save(TrainState& state, double trained_seconds, double epoch_seconds,
            CheckpointReason reason);
  // Waits until durable; completes the digest of the newest EpochDone. A failure is a Notice: the
  // older checkpoints stand, and training goes on.
  void save_epoch(TrainState& state, double trained_seconds, const std::function<void()>& alive);
  // Waits until durable; does nothing when no step was taken since the last save. Throws the
  // writer's Error: what was trained since would be lost.
  void save_stop(TrainState& state, double trained_seconds, double epoch_seconds,
                 const std::function<void()>& alive);

  // Of the newest durable checkpoint of this run, this worker's or an earlier one's.
  const std::string& newest_digest() const { return newest_digest_; }

 private:
  bool submit(TrainState& state, double trained_seconds, double epoch_seconds,
              CheckpointReason reason, bool wait);
  void tell(const SaveResult& result);
  // The result of the save under way, told; empty when there was none.
  std::optional<SaveResult> finish(const std::function<void()>& alive);

  const RunFile& run_;
  const Preparation& ready_;
  EventSink& events_;
  TrainerControl& control_;
  std::unique_ptr<Snapshot> snapshot_;  // of the save under way, or the last one
  CheckpointWriter writer_;             // reads it, so goes first
  std::chrono::steady_clock::time_point last_save_;
  std::int64_t last_save_batches_;
  std::int64_t durable_step_;  // of the newest durable checkpoint; 0 = the beginning itself
  CheckpointReason reason_ = CheckpointReason::kInterval;  // of the save under way
  int epoch_ = 1;                                          // likewise
  std::int64_t best_step_ = -1;                            // likewise
  std::string newest_digest_;
};

}  // namespace traind
