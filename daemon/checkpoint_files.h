// The files behind a run's checkpoints, as the daemon sees them: which are there, and setting aside
// those that crash workers. NAME becomes NAME.quarantined, which no worker loads
// (model/checkpoint/store.h), nothing deletes, and anybody may rename back.
//
// Supervisor's thread. Waits for the disk. `folder` holds the checkpoints, `file` is a name in it.
#pragma once

#include <string>

namespace traind {

// By step, of two names of checkpoints; an empty one is older than all.
bool is_newer_checkpoint(const std::string& file, const std::string& than);

// While no worker of the run lives. May be repeated: what has been done already is no error. Throws
// Error(kIo), also when another file was set aside under this name: that one must not get lost.
void set_aside(const std::string& folder, const std::string& file);
// Likewise; leaves everything as it is when a new file has taken the name meanwhile.
void put_back(const std::string& folder, const std::string& file);

// Name (without the suffix) of the newest that is set aside, if it is newer than every checkpoint
// in use: nothing has come of setting it aside yet. Empty = none.
std::string newest_set_aside(const std::string& folder);

bool is_missing(const std::string& folder, const std::string& file);
// The folder is there, and no checkpoint in it, not even one set aside.
bool is_emptied(const std::string& folder);

}  // namespace traind
