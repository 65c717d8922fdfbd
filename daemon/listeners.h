// The sockets that the daemon is reached on: a Unix socket (0660) and TCP on loopback.
//
// Made and closed by the main thread. Both are non-blocking and do not outlive an exec. Throws
// Error(kState) when another daemon answers on the path, Error(kIo) and Error(kConfig) when a
// socket cannot be had.
#pragma once

#include <sys/types.h>

#include <string>

#include "daemon/descriptor.h"

namespace traind {

// A listening Unix socket for owner and group alone; its file goes with it.
class UnixListener {
 public:
  // A stale socket at the path is replaced. `group` is the file's; empty = the daemon's own.
  UnixListener(const std::string& path, const std::string& group);
  // Removes the file, if it is still the one that was made.
  ~UnixListener();
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;

  int get() const noexcept { return socket_.get(); }

 private:
  const std::string path_;
  Descriptor socket_;
  ino_t file_ = 0;
};

// "127.0.0.1:7433" or "[::1]:7433".
Descriptor listen_on_tcp(const std::string& address);

}  // namespace traind
