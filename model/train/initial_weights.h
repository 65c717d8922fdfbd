// The checkpoint of another run whose weights a new run begins with (`start --from`).
//
// A value; safe on any thread. Loading reads the whole file.
#pragma once

#include <string>

#include "model/base/files.h"
#include "model/checkpoint/codec.h"
#include "model/nn/parameters.h"
#include "model/train/run_file.h"
#include "model/train/train_state.h"

namespace traind {

struct InitialWeights {
  CheckpointContent content;
  RunIdentity identity;  // of the run it comes from; its vocabularies belong to the embeddings
  std::string name;      // "RUN checkpoint-000000001234.safetensors"
};

// Throws Error(kNotFound | kIo | kCorrupt | kState) naming the path.
InitialWeights load_initial(const std::string& path);

// Throws Error(kConfig) when the run's model cannot hold these weights: another kind of model,
// cell or tokens, or a tensor of another shape, with the run file's keys that differ. `shape` is
// that of the run with the checkpoint's vocabularies.
void check_initial(const InitialWeights& initial, const RunFile& run, const ModelShape& shape);

// Makes `path` a durable copy of the checkpoint at `from`. Throws Error(kNotFound | kIo |
// kNoSpace).
void copy_initial(FileOps& files, const std::string& from, const std::string& path);

}  // namespace traind
