// One worker a run: whoever holds the lock of a run's folder trains it.
//
// Held from construction to destruction, and let go by the kernel when the process dies. The
// constructor waits while another worker has it, up to `patience`.
#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace traind {

class RunLock {
 public:
  // `alive` is called a few times a second while waiting. Throws Error(kState) when the patience
  // is over, Error(kIo).
  RunLock(const std::string& path, std::chrono::seconds patience,
          const std::function<void()>& alive);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace traind
