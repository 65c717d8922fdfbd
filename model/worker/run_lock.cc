#include "model/worker/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "model/base/error.h"

namespace traind {

RunLock::RunLock(const std::string& path, std::chrono::seconds patience,
                 const std::function<void()>& alive) {
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd_ < 0) throw system_error("cannot open " + path, errno);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    if (reason == EINTR) continue;
    const bool late = std::chrono::steady_clock::now() >= deadline;
    if (reason == EWOULDBLOCK && !late) {
      alive();
      // flock() has no timeout of its own, and a signal to interrupt it would need a handler.
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      continue;
    }
    close(fd_);
    if (reason == EWOULDBLOCK) {
      std::string message = "another worker still holds ";
      message += path;
      message += "; if it hangs, end it with `kill -9` (its number is shown by `fuser ";
      message += path;
      message += "`)";
      throw Error(ErrorKind::kState, message);
    }
    throw system_error("cannot lock " + path, reason);
  }
}

RunLock::~RunLock() { close(fd_); }

}  // namespace traind
