#include "client/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "client/exit_code.h"

namespace traind {

void Output::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t taken = ::write(fd_, text.data(), text.size());
    if (taken >= 0) {
      text.remove_prefix(static_cast<std::size_t>(taken));
    } else if (errno == EPIPE) {
      throw ReaderGone();
    } else if (errno == EAGAIN) {
      // Somebody else made the terminal or pipe non-blocking.
      pollfd ready{fd_, POLLOUT, 0};
      poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      throw Failure(Exit::kFailure, "cannot write to " + name_ + ": " + std::strerror(errno));
    }
  }
}

}  // namespace traind
