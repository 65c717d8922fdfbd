// Whether a run can be resumed, tried on the run itself: what it trained between its two newest
// good checkpoints is trained anew in a folder apart, and what comes of it is compared with the
// newer one.
//
// One thread owns it and waits for disk and device. The run's folder is read and never written to.
// Both checkpoints are pinned in the scratch folder first, by a second name or a copy, so that a
// training beside it may prune them. The caller makes and removes the scratch folder.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/checkpoint/codec.h"
#include "model/train/control.h"
#include "model/train/events.h"
#include "model/train/run_file.h"
#include "model/train/run_folder.h"
#include "model/train/train_state.h"

namespace traind {

enum class Verdict {
  kSame,   // to the last bit
  kClose,  // the device gives no equal bits, and they are as near as its roundings let them be
  kDifferent,
};

// What two checkpoints of one step say beside each other. Digests are of the values themselves,
// whatever the files' metadata claim.
struct Comparison {
  Verdict verdict = Verdict::kSame;
  std::string digest;                    // of the weights in the checkpoint, 16 hex digits
  std::string trained_digest;            // of those that were trained anew
  std::string optimizer_digest;          // of all other tensors: moments, loss scale
  std::string trained_optimizer_digest;  // likewise
  std::vector<std::string> differences;  // in words; empty = none
  double distance = 0;                   // between the weights; 1 = as far as training had come
};

// Compares weights, optimizer, and where training stands: step, epoch, batch, sums, results of the
// epochs, best step; not times. `before` is what training began with and gives the distance its
// measure; it is called when the weights differ. Pure but for that.
Comparison compare(const CheckpointContent& stored, const CheckpointContent& trained,
                   const std::function<CheckpointContent()>& before, bool equal_bits);

struct VerifiedRun {
  Comparison comparison;
  std::vector<std::string> notes;  // what else there is to know, in words
  std::string device;              // it was trained on
  std::string device_name;
  bool equal_bits = true;  // that device promises them
};

class Verification {
 public:
  // A sign of life, some times a second: what it does, at which step, seconds left (-1 = not
  // known).
  using Sign = std::function<void(Phase phase, std::int64_t step, double seconds_left)>;

  // Pins the two. `run` is the run's own run file. Throws Error(kNotFound) without a good
  // checkpoint, kState with only one, kNoSpace when what is trained will not fit beside the run's
  // next checkpoint, kIo.
  Verification(const RunFile& run, const RunFolder& folder, std::string scratch);

  struct Pinned {
    std::string file;
    std::int64_t step = 0;
    TrainState state;
    RunIdentity identity;
    std::uint64_t bytes = 0;
  };
  const Pinned& from() const { return from_; }
  const Pinned& to() const { return to_; }
  // Older checkpoints than the newest that were passed over because they are damaged, in words.
  const std::vector<std::string>& passed_over() const { return passed_over_; }

  // Trains. `then` is the run file that the newer one was trained with: its identity.config, read.
  // Called once. Throws Error(kData) when the corpus is not what the newer one was trained on,
  // kCancelled after control.request_stop(), and what Trainer throws.
  VerifiedRun train(const RunFile& then, TrainerControl& control, const Sign& sign);

 private:
  bool pin_newest();
  bool read_pinned(const std::string& file, Pinned& out);

  const RunFile run_;
  const RunFolder folder_;
  const std::string scratch_;
  Pinned from_;
  Pinned to_;
  std::vector<std::string> passed_over_;
};

}  // namespace traind
