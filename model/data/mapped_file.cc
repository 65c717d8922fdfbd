#include "model/data/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "model/base/error.h"

namespace traind {

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Descriptor::Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

MappedFile MappedFile::open(const std::string& path) {
  // O_NONBLOCK: a named pipe must be refused below, not waited for here.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      throw Error(ErrorKind::kNotFound,
                  path + ": no such file; correct the path in the run file's [data] table");
    }
    throw system_error(path + ": cannot be opened for reading", errno);
  }
  return {file.get(), path};
}

MappedFile::MappedFile(int fd, std::string path) : path_(std::move(path)) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw system_error(path_ + ": cannot be examined", errno);
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorKind::kIo, path_ + ": is a " +
                                    (S_ISDIR(status.st_mode) ? "directory" : "device or pipe") +
                                    ", not a file; name a file in the run file's [data] table");
  }
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;  // mmap refuses an empty range
  void* const mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
  if (mapped == MAP_FAILED) throw system_error(path_ + ": cannot be mapped", errno);
  data_ = static_cast<const char*>(mapped);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

void MappedFile::expect_sequential() const noexcept {
  if (data_ != nullptr) ::madvise(const_cast<char*>(data_), size_, MADV_SEQUENTIAL);
}

void MappedFile::expect_random() const noexcept {
  if (data_ != nullptr) ::madvise(const_cast<char*>(data_), size_, MADV_RANDOM);
}

void MappedFile::forget(std::size_t begin, std::size_t end) const noexcept {
  // Whole pages inside the range only; the mapping itself begins at a page.
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t first = (begin + page - 1) / page * page;
  const std::size_t last = end / page * page;
  if (first >= last) return;
  ::madvise(const_cast<char*>(data_) + first, last - first, MADV_DONTNEED);
}

}  // namespace traind
