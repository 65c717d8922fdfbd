// Saves checkpoints off the training thread: submit() has a snapshot taken and returns; a thread of
// its own waits for the snapshot, makes it durable and prunes.
//
// All methods are for the trainer's thread, and so is the store while no save is under way. The
// only wait in training is the taking, unless the previous checkpoint is still being written: then
// submit() with wait = false does nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/base/error.h"
#include "model/checkpoint/store.h"

namespace traind {

// Metadata key under which the writer puts the digest of the weights.
inline constexpr const char* kDigestKey = "traind.digest";

struct SaveRequest {
  std::int64_t step = 0;
  std::int64_t best_step = -1;  // kept by pruning beside the newest
  int keep = 3;
  Metadata metadata;
  // Name and shape of each tensor, and where it lies in the row of the snapshot.
  struct Slot {
    std::string name;
    std::vector<std::int64_t> shape;
    std::size_t offset = 0;  // floats, from the start of the row
    bool digested = false;   // part of the weights' digest
  };
  std::vector<Slot> tensors;
  std::size_t row_size = 0;  // floats
  // The row. Called on the writer's thread, where it may wait; what it returns stays as long as
  // the save is under way.
  using Row = std::function<std::span<const float>()>;
  // Takes what there is now. Called inside submit(), when it is sure to be saved.
  std::function<Row()> snapshot;
};

struct SaveResult {
  std::string file;
  std::int64_t step = 0;
  std::uint64_t bytes = 0;
  std::string digest;
  double stall_seconds = 0;  // what submit() took
  double write_seconds = 0;  // until durable
  std::vector<std::string> pruned;
  std::optional<Error> error;        // the save failed; older checkpoints are untouched
  std::optional<Error> prune_error;  // saved, but an older one could not be removed this time
};

class CheckpointWriter {
 public:
  explicit CheckpointWriter(CheckpointStore& store);
  // Waits for a save under way to end.
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  // False when a save is under way and `wait` is false; then nothing was taken. Throws what
  // `snapshot` throws, and saves nothing then.
  bool submit(SaveRequest request, bool wait);
  // Saves once more what was submitted last, from the same snapshot into a new file; does not wait.
  // Only after that save has failed and its result was taken.
  void again();
  // The result of a finished save not yet taken, oldest first; does not wait.
  std::optional<SaveResult> poll();
  // Waits for the save under way, if any, then as poll(): call again until it is empty. Calls
  // `alive` about every 200 ms in which bytes were written or synced, not while nothing moves.
  std::optional<SaveResult> wait(const std::function<void()>& alive = {});
  // What comes next is wanted soon: a save under way of which less than half is written ends with
  // Error(kCancelled), and nothing of it stays. Does not wait.
  void hurry();
  // Since the save under way moved: a piece written, synced, renamed or removed. 0 = none is under
  // way. Does not wait.
  double still_seconds() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace traind
