// What a run needs before its first step: corpus, vocabularies, device, model, and the state of
// the newest good checkpoint where there is one.
//
// Owned by the trainer's thread; destroyed in reverse order of the members. prepare() reads the
// whole corpus and waits for the disk and the device.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/backend/backend.h"
#include "model/base/files.h"
#include "model/checkpoint/store.h"
#include "model/data/corpus.h"
#include "model/data/vocabulary.h"
#include "model/nn/sequence_model.h"
#include "model/train/events.h"
#include "model/train/model_checkpoint.h"
#include "model/train/run_file.h"
#include "model/train/run_folder.h"
#include "model/train/settings_change.h"
#include "model/train/train_state.h"

namespace traind {

using MakeDevice = std::function<ChosenBackend(const DeviceChoice&)>;

struct PrepareOptions {
  RunFolder folder;
  bool accept_changed_data = false;
  Changes changes;  // what may differ from the run file that the run began with
  FileOps* files = &posix_files();
  bool needs_space = false;  // refuse a new run whose checkpoints do not fit on the disk
  MakeDevice make_device = make_backend;
  // Called while the corpus or a checkpoint is read; may throw Error(kCancelled) to give up.
  std::function<void()> on_progress;
};

struct Preparation {
  RunFile run;  // as given; a batch_size of "fit" is a number here
  std::unique_ptr<Corpus> corpus;
  RunIdentity identity;
  std::unique_ptr<Vocabulary> source;
  std::unique_ptr<Vocabulary> target;
  ChosenBackend device;
  std::unique_ptr<SequenceModel> model;
  TrainState state;
  std::int64_t resumed_step = -1;  // -1 = from the beginning
  std::string resumed_from;        // file name
  std::string resumed_digest;      // of its weights
  std::int64_t resumed_bytes = 0;  // of the file
  std::vector<SettingChanged> changes;
  // Of examples for the model, once there is one; valid as long as this.
  BatchEncoding encoding() const;
};

// A run without a checkpoint begins with the weights of folder.initial() where there is such a
// file.
//
// Throws Error(kData) when the corpus is unusable or, on resume, not the one the run began with
// (unless accepted); Error(kConfig) when the run file differs from the one it began with in more
// than may change, naming the lines, when the initial weights are those of another model, or for a
// batch that fits on a CPU; Error(kCorrupt) when there are checkpoints and none is good, or when
// the initial weights are damaged; Error(kNoSpace) when the run is new, needs space, and its
// checkpoints do not fit (otherwise a Notice says so); kDevice, kIo.
Preparation prepare(const RunFile& run, const PrepareOptions& options, CheckpointStore& store,
                    EventSink& events);

// What the run file asks of a device.
DeviceChoice choice_of(const TrainSection& train);

// Throws Error(kConfig) when the batch is to fill the device's memory and the device is a CPU.
void check_fit(const TrainSection& train, const DeviceInfo& device);

// How many examples make a batch; batch_size must be a number by now.
BatchSize batch_size_of(const TrainSection& train);

// The model's shape with these vocabularies; the source's is left out of a language model.
ModelShape shape_of(const RunFile& run, const Vocabulary& source, const Vocabulary& target);

}  // namespace traind
