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
#include "model/train/run_file.h"
#include "model/train/run_folder.h"
#include "model/train/train_state.h"

namespace traind {

using MakeDevice = std::function<ChosenBackend(const DeviceChoice&)>;

struct PrepareOptions {
  RunFolder folder;
  bool accept_changed_data = false;
  FileOps* files = &posix_files();
  MakeDevice make_device = make_backend;
  std::function<void()> on_progress;  // called while the corpus is read; may throw to give up
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
};

// Throws Error(kData) when the corpus is unusable or, on resume, not the one the run began with
// (unless accepted); Error(kConfig) when the run file differs from the one it began with, naming
// the lines, or asks for a batch that fits on a CPU; Error(kCorrupt) when there are checkpoints and
// none is good; kDevice, kIo.
Preparation prepare(const RunFile& run, const PrepareOptions& options, CheckpointStore& store,
                    EventSink& events);

// What the run file asks of a device.
DeviceChoice choice_of(const TrainSection& train);

// Throws Error(kConfig) when the batch is to fill the device's memory and the device is a CPU.
void check_fit(const TrainSection& train, const DeviceInfo& device);

ModelShape shape_of(const RunFile& run, const Vocabulary& source, const Vocabulary& target);

// Bytes of one checkpoint of such a model, header left out: weights and both moments.
std::uint64_t checkpoint_bytes(const ModelShape& shape);

// The rows of a checkpoint as its tensors: weights under their own names, then the moments under
// "optim.first." and "optim.second.", then "optim.loss_scale" where the device needs one.
struct CheckpointTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  int row = 0;             // 0 weights, 1 first moment, 2 second moment, 3 loss scale
  std::size_t offset = 0;  // in its row
  std::size_t size = 0;
};
std::vector<CheckpointTensor> checkpoint_tensors(const SequenceModel& model);
// Floats in all rows, one behind the other, as SequenceModel::snapshot() gives them.
std::size_t checkpoint_floats(const SequenceModel& model);

// Puts a checkpoint's tensors into the model. A run may move between devices and precisions: a
// loss scale that is not there begins anew, one that the device does not need is left out. Throws
// Error(kCorrupt) when another tensor is missing or has another shape.
void restore_model(const CheckpointContent& content, SequenceModel& model);

}  // namespace traind
