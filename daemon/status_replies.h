// The answer to GetStatus: what the database says of a run, and over it the newest progress.
//
// The first is kept until the database changes, so that asking often, by many, costs no reads of
// it. Safe on any thread; waits for a read of the database after a change. What the parts given to
// the constructor refer to must outlive it.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "daemon/replies.h"

namespace traind {

class StatusReplies {
 public:
  explicit StatusReplies(const ReplySources& from) : from_(from) {}

  // Throws Error(kNotFound) when there is no such run, and what Store throws.
  void reply(const v1::GetStatusRequest& request, v1::GetStatusResponse& response) const;

 private:
  struct Stored {
    std::uint64_t changes = 0;  // of the store, before it was read
    std::int64_t run = 0;
    v1::GetStatusResponse response;
  };
  Stored stored(const std::string& name) const;
  Stored read(const std::string& name) const;

  const ReplySources from_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, Stored> kept_;  // by the name asked for; guarded by mutex_
};

}  // namespace traind
