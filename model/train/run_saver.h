// Turns the trainer's state into checkpoints at the moments the run file names, and tells what
// became of them. A save that fails is tried again until one works.
//
// Trainer's thread only. Interval saves wait for the copy alone; the saves at an epoch's end and at
// a stop wait until they are durable or have failed. With checkpoint.on_error = "pause" a failure
// holds up the caller until a save works or a stop is asked.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/checkpoint/store.h"
#include "model/checkpoint/writer.h"
#include "model/train/control.h"
#include "model/train/events.h"
#include "model/train/preparation.h"
#include "model/train/run_file.h"
#include "model/train/train_state.h"

namespace traind {

// How long a saver has patience with a disk that refuses.
struct SavePatience {
  std::chrono::milliseconds first{1'000};     // from a failed save to the next try; it doubles ...
  std::chrono::milliseconds longest{60'000};  // ... up to this, or the interval of saves
  std::chrono::milliseconds at_stop{10'000};  // how long a stop goes on trying
};

class RunSaver {
 public:
  // Shows life; called again and again while something is waited for. May be empty.
  using Alive = std::function<void()>;

  RunSaver(const RunFile& run, const Preparation& ready, CheckpointStore& store, EventSink& events,
           TrainerControl& control, const SavePatience& patience);

  // To be asked after each update, with the number of batches since the run began: why a checkpoint
  // is to be saved now, if it is. Tells what became of an earlier save.
  std::optional<CheckpointReason> due(std::int64_t batches);
  // Saves what is due, unless an earlier save is still under way.
  void save(TrainState& state, double trained_seconds, double epoch_seconds,
            CheckpointReason reason, const Alive& alive);
  // Saves at the end of the newest epoch of state.epochs, completes its digest, and tells it; when
  // the save fails and training goes on, it is told as soon as a checkpoint holds it.
  void save_epoch(TrainState& state, double trained_seconds, const Alive& alive);
  // At the end of training: waits until its last epoch is durable. Throws the save's Error when a
  // stop is asked and it does not work for a while, and when it is not the disk that fails.
  void save_last(const Alive& alive);
  // Waits until durable; does nothing when no step was taken since the last save. Throws the save's
  // Error when it has not worked for a while: what was trained since would be lost.
  void save_stop(TrainState& state, double trained_seconds, double epoch_seconds,
                 const Alive& alive);

  // Of the newest durable checkpoint of this run, this worker's or an earlier one's.
  const std::string& newest_digest() const { return newest_digest_; }
  // For Progress: what keeps checkpoints from being saved, and what that means for training. Empty
  // when the newest save has worked.
  std::string trouble() const;
  // As CheckpointWriter's, of the save under way.
  double still_seconds() const { return writer_.still_seconds(); }
  // How long training has waited for a disk that refuses, since this was last asked. Seconds.
  double take_waited();

 private:
  using Clock = std::chrono::steady_clock;

  // An epoch that may have to be told again: its checkpoint is not durable yet (told_at = -1), or
  // whoever stores it has not said so since it was told, at that step.
  struct Held {
    EpochDone epoch;
    std::int64_t told_at = -1;
  };

  bool submit(TrainState& state, double trained_seconds, double epoch_seconds,
              CheckpointReason reason, bool wait);
  void try_again();
  bool insist(const Alive& alive, const std::function<bool()>& give_up);
  void tell(const SaveResult& result);
  void tell_failure(const Error& error);
  void tell_recovery();
  void tell_pruning(const SaveResult& result);
  void tell_epochs(std::int64_t durable_step);
  void finish(const Alive& alive);
  void drop_stored(TrainState& state);
  bool pauses() const { return run_.checkpoint.on_error == SaveTrouble::kPause; }

  const RunFile& run_;
  const Preparation& ready_;
  EventSink& events_;
  TrainerControl& control_;
  const SavePatience patience_;
  std::unique_ptr<Snapshot> snapshot_;  // of the save under way, or the last one
  CheckpointWriter writer_;             // reads it, so goes first

  // Of the last try; after a save that worked, of its snapshot.
  Clock::time_point last_save_;
  std::int64_t last_save_batches_;

  // Of the save under way, or the last one.
  bool under_way_ = false;
  CheckpointReason reason_ = CheckpointReason::kInterval;
  int epoch_ = 1;
  std::int64_t best_step_ = -1;
  Clock::time_point taken_;
  std::int64_t taken_batches_ = 0;

  // While saves fail.
  std::optional<Error> error_;  // of the newest; empty = it has worked
  bool kept_ = false;           // its snapshot is to be saved, and not a newer one
  bool waiting_ = false;        // training stands still for it
  Clock::time_point retry_at_;
  std::chrono::milliseconds delay_;
  bool pruning_fails_ = false;
  double waited_seconds_ = 0;

  bool wanted_ = false;        // somebody has asked for a save
  std::int64_t durable_step_;  // of the newest durable checkpoint; 0 = the beginning itself
  std::int64_t durable_best_;  // the best one that is durable; -1 = none
  std::vector<Held> held_;     // oldest first
  std::string newest_digest_;
};

}  // namespace traind
