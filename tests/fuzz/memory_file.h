// A file that lies in memory and has a path, for parsers that open what they read. One thread.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>

namespace traind::fuzz {

class MemoryFile {
 public:
  MemoryFile() : fd_(memfd_create("input", MFD_CLOEXEC)) {
    if (fd_ < 0) std::abort();
  }
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  // No mapping of what it held before may be in use.
  void fill(std::string_view bytes) const {
    if (pwrite(fd_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()) ||
        ftruncate(fd_, static_cast<off_t>(bytes.size())) != 0) {
      std::abort();
    }
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }
  // The same file under a name that ends in `suffix`, in the working folder.
  std::string path(const std::string& suffix) const {
    const std::string name = "input" + std::to_string(fd_) + suffix;
    unlink(name.c_str());
    if (symlink(path().c_str(), name.c_str()) != 0) std::abort();
    return name;
  }

 private:
  const int fd_;
};

}  // namespace traind::fuzz
