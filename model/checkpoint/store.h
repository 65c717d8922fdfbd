// A run's checkpoints on disk: which there are, the newest good one, and pruning.
//
// Files are named checkpoint-000000001234.safetensors after their step. A torn or foreign file is
// skipped and reported, never deleted; so is one that was set aside as NAME.quarantined, because it
// crashed whoever loaded it. One process at a time saves into a folder; others may read it
// meanwhile. Waits for the disk. Not thread-safe: one thread at a time owns it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/base/files.h"
#include "model/checkpoint/codec.h"

namespace traind {

std::string checkpoint_name(std::int64_t step);
// -1 when the name is not one of ours.
std::int64_t step_of_checkpoint(const std::string& name);

// What a name ends in once its file was set aside (by daemon/checkpoint_files.h, or by hand).
inline constexpr const char* kQuarantineSuffix = ".quarantined";

struct LoadedCheckpoint {
  std::string file;  // name inside the folder
  std::int64_t step = 0;
  std::uint64_t bytes = 0;  // of the file
  CheckpointContent content;
};

// Who else has a say in which checkpoint is taken; each may be empty.
struct LoadHooks {
  // Hears each file before it is read: if the reading crashes this process, that was the one.
  std::function<void(const std::string& file)> on_load;
  // Called while a file is read: a large one on a slow disk takes minutes. May throw
  // Error(kCancelled) to give up, which newest_good() passes on.
  std::function<void()> on_read = {};
  // Throws Error(kCorrupt) for one that is intact and yet not to be used.
  std::function<void(const LoadedCheckpoint&)> accept;
};

class CheckpointStore {
 public:
  // Creates the folder. Throws Error(kIo).
  CheckpointStore(FileOps& files, std::string folder);

  const std::string& folder() const { return folder_; }
  // Names of all checkpoints, newest first, good or not. Throws Error(kIo), also when the folder
  // is gone: that must not look like a run without checkpoints.
  std::vector<std::string> list() const;
  // Durable when it returns. `wrote` (may be empty) hears the bytes written so far, each time that
  // something was written, synced, renamed or removed. The first save, and each after a failed one,
  // removes leftover temporary files of ours. Throws Error(kIo | kNoSpace); the files that were
  // there are then untouched, and the next save may work again.
  void save(std::int64_t step, const CheckpointView& view,
            const std::function<void(std::uint64_t)>& wrote = {});
  // Newest that is intact; every bad one before it is told to `on_bad(file, why)`, and so is every
  // one that was set aside. Empty when the folder holds no checkpoint at all. Throws
  // Error(kCorrupt) when there are some and none is good (all set aside is not none at all),
  // Error(kState) at a file of a newer format: that one is not damaged, and not to be passed over.
  std::optional<LoadedCheckpoint> newest_good(
      const std::function<void(const std::string&, const std::string&)>& on_bad,
      const LoadHooks& hooks = {}) const;
  // `on_read` as in LoadHooks. Throws Error(kNotFound | kCorrupt | kIo | kState).
  LoadedCheckpoint load(const std::string& file, const std::function<void()>& on_read = {}) const;
  // Removes all but the newest `keep` (at least 1) and the one of step `best` (-1 = none). Files
  // that are newer than the newest saved by this object are left alone, and so are files that
  // cannot be read; neither counts. `looked` (may be empty) is called after each file that was
  // looked at or removed. Returns what it removed. Throws Error(kIo).
  std::vector<std::string> prune(int keep, std::int64_t best,
                                 const std::function<void()>& looked = {});

 private:
  bool is_readable(const std::string& file) const;
  void remove_leftovers(FileOps& files);

  FileOps& files_;
  const std::string folder_;
  std::int64_t newest_saved_ = -1;
  bool removed_leftovers_ = false;
  // Found bad while loading; prune() reads headers only and would not see it again.
  mutable std::set<std::string> unreadable_;
};

}  // namespace traind
