#include "model/worker/frame.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "model/base/error.h"

namespace traind {
namespace {

constexpr std::size_t kPrefix = 4;

}  // namespace

bool write_frame(int fd, const std::string& payload) {
  if (payload.size() > kLargestFrame) {
    throw Error(ErrorKind::kInternal, "an event is larger than a frame may be");
  }
  std::string frame;
  frame.reserve(kPrefix + payload.size());
  for (std::size_t i = 0; i < kPrefix; ++i) {
    frame += static_cast<char>(payload.size() >> (8 * i) & 0xFF);
  }
  frame += payload;
  for (std::size_t done = 0; done < frame.size();) {
    const ssize_t count = ::write(fd, frame.data() + done, frame.size() - done);
    if (count >= 0) {
      done += static_cast<std::size_t>(count);
    } else if (errno == EPIPE) {
      return false;
    } else if (errno != EINTR) {
      throw system_error("cannot write an event to the daemon", errno);
    }
  }
  return true;
}

std::optional<std::string> FrameReader::next() {
  if (pending_.size() < kPrefix) return std::nullopt;
  std::size_t size = 0;
  for (std::size_t i = 0; i < kPrefix; ++i) {
    size |= std::size_t{static_cast<unsigned char>(pending_[i])} << (8 * i);
  }
  if (size > kLargestFrame) {
    throw Error(ErrorKind::kCorrupt, "a frame of " + std::to_string(size) + " bytes is announced");
  }
  if (pending_.size() < kPrefix + size) return std::nullopt;
  std::string payload = pending_.substr(kPrefix, size);
  pending_.erase(0, kPrefix + size);
  return payload;
}

}  // namespace traind
