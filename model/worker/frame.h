// Messages on a pipe: four bytes of length, little-endian, then that many bytes.
//
// FrameReader collects what read(2) gives; one thread owns it. write_frame() waits while the pipe
// is full. docs/worker.md fixes the format.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace traind {

inline constexpr std::size_t kLargestFrame = std::size_t{16} << 20;

// False when the other end is gone. Throws Error(kIo) on any other failure, Error(kInternal) above
// kLargestFrame. SIGPIPE must be ignored.
bool write_frame(int fd, const std::string& payload);

class FrameReader {
 public:
  void append(const char* bytes, std::size_t count) { pending_.append(bytes, count); }
  // The next whole frame, if there is one. Throws Error(kCorrupt) on a length above kLargestFrame.
  std::optional<std::string> next();

 private:
  std::string pending_;
};

}  // namespace traind
