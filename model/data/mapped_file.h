// A regular file mapped into memory for reading, and the descriptor class that goes with it.
//
// MappedFile owns its mapping; views into it are valid as long as it lives. Reading waits for the
// disk; safe on any thread. A file that somebody cuts short while it is mapped ends the process
// with SIGBUS: the worker is then started again and finds that the corpus has changed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace traind {

// Closes a file descriptor at the end of its life.
class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

class MappedFile {
 public:
  // Throws Error(kNotFound), and Error(kIo) for a folder, a pipe or an unreadable file.
  static MappedFile open(const std::string& path);
  // Of an open file; the descriptor may be closed afterwards. `path` names it in errors.
  MappedFile(int fd, std::string path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  const std::string& path() const noexcept { return path_; }
  std::string_view bytes() const noexcept { return {data_, size_}; }

  // What comes next: reading front to back, or here and there. A hint to the kernel.
  void expect_sequential() const noexcept;
  void expect_random() const noexcept;
  // Takes the pages of [begin, end) out of this process; they are read again when touched. Keeps
  // the resident size of a process that scans a large file small.
  void forget(std::size_t begin, std::size_t end) const noexcept;

 private:
  std::string path_;
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace traind
