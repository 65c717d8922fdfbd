#include "model/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "model/base/error.h"

namespace traind {
namespace {

// Small enough that a slow disk is seen to move.
constexpr std::size_t kReadAtOnce = std::size_t{4} << 20;

// Closes on every way out of a scope. Errors of close() say nothing after fsync or a read.
class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

int open_retrying(const std::string& path, int flags, mode_t mode = 0) {
  int fd;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

class PosixFiles final : public FileOps {
 public:
  int create(const std::string& path) override {
    const int fd = open_retrying(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    if (fd < 0) throw system_error("cannot create " + path, errno);
    return fd;
  }

  void write(int fd, std::span<const std::byte> bytes, const std::string& path) override {
    while (!bytes.empty()) {
      const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) throw system_error("cannot write " + path, errno);
      bytes = bytes.subspan(static_cast<std::size_t>(wrote));
    }
  }

  // Not repeated on any error, EINTR included: the kernel reports a lost page once and then
  // calls it clean, so a second fsync that succeeds proves nothing.
  void sync(int fd, const std::string& path) override {
    if (::fsync(fd) != 0) throw system_error("cannot bring to disk " + path, errno);
  }

  void close(int fd) noexcept override { ::close(fd); }

  void rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      throw system_error("cannot rename " + from + " to " + to, errno);
    }
  }

  void remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) throw system_error("cannot remove " + path, errno);
  }

  void sync_directory(const std::string& path) override {
    const int fd = open_retrying(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0) throw system_error("cannot open folder " + path, errno);
    const Descriptor folder(fd);
    // EINVAL: a file system that has no fsync for folders keeps names by itself or not at all.
    if (::fsync(fd) != 0 && errno != EINVAL) {
      throw system_error("cannot bring to disk folder " + path, errno);
    }
  }
};

void write_and_sync(FileOps& files, const std::string& path,
                    std::span<const std::span<const std::byte>> parts) {
  const int fd = files.create(path);
  try {
    for (const auto& part : parts) files.write(fd, part, path);
    files.sync(fd, path);
  } catch (...) {
    files.close(fd);
    throw;
  }
  files.close(fd);
}

struct statvfs look_at_file_system(const std::string& path) {
  struct statvfs status {};
  int rc;
  do {
    rc = ::statvfs(path.c_str(), &status);
  } while (rc != 0 && errno == EINTR);
  if (rc != 0) throw system_error("cannot look at the file system of " + path, errno);
  return status;
}

// Best effort, on the way out with an error that matters more; what stays is removed by the next
// write to the same name.
void remove_if_there(FileOps& files, const std::string& path) noexcept {
  try {
    if (::access(path.c_str(), F_OK) == 0) files.remove(path);
  } catch (const Error&) {
    return;
  }
}

}  // namespace

FileOps& posix_files() {
  static PosixFiles files;
  return files;
}

void write_durably(FileOps& files, const std::string& path,
                   std::span<const std::span<const std::byte>> parts) {
  const std::string temporary = path + kTemporarySuffix;
  // A leftover is removed and not truncated: after a failed fsync its inode is not to be trusted.
  if (::access(temporary.c_str(), F_OK) == 0) files.remove(temporary);
  try {
    write_and_sync(files, temporary, parts);
    files.rename(temporary, path);
  } catch (...) {
    remove_if_there(files, temporary);
    throw;
  }
  files.sync_directory(folder_of(path));
}

void write_durably(FileOps& files, const std::string& path, const std::string& content) {
  const std::span<const std::byte> part = std::as_bytes(std::span(content));
  write_durably(files, path, std::span(&part, 1));
}

std::string read_whole(const std::string& path, std::uint64_t limit,
                       const std::function<void()>& on_read) {
  const int fd = open_retrying(path, O_RDONLY);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
    throw Error(ErrorKind::kNotFound, "no such file: " + path);
  }
  if (fd < 0) throw system_error("cannot open " + path, errno);
  const Descriptor file(fd);
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw system_error("cannot look at " + path, errno);

  std::uint64_t expected = S_ISREG(status.st_mode) ? static_cast<std::uint64_t>(status.st_size) : 0;
  std::string bytes;
  std::size_t size = 0;
  for (;;) {
    if (std::max<std::uint64_t>(expected, size) > limit) {
      throw Error(ErrorKind::kData,
                  path + " is larger than the " + std::to_string(limit) + " bytes it may have");
    }
    // One byte more than expected, so that the end is seen without another round.
    if (size == bytes.size()) bytes.resize(std::max<std::size_t>(expected + 1, size * 2 + 4096));
    const std::size_t piece = std::min(bytes.size() - size, kReadAtOnce);
    const ssize_t got = ::read(fd, bytes.data() + size, piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw system_error("cannot read " + path, errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    if (on_read) on_read();
  }
  bytes.resize(size);
  return bytes;
}

void make_folders(const std::string& path) {
  for (std::size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end + 1);
    const std::string folder = path.substr(0, end);
    if (::mkdir(folder.c_str(), 0750) == 0) {
      // Without this a power cut takes the folder away with all that was synced in it.
      posix_files().sync_directory(folder_of(folder));
      continue;
    }
    const int why = errno;
    struct stat status {};
    if (::stat(folder.c_str(), &status) == 0) {
      if (S_ISDIR(status.st_mode)) continue;
      throw Error(ErrorKind::kIo, folder + " is a file; no folder can be made there");
    }
    throw system_error("cannot make folder " + folder, why);
  }
}

std::uint64_t free_bytes(const std::string& path) {
  const struct statvfs status = look_at_file_system(path);
  return std::uint64_t{status.f_bavail} * status.f_frsize;
}

std::uint64_t free_files(const std::string& path) {
  const struct statvfs status = look_at_file_system(path);
  return status.f_files == 0 ? std::numeric_limits<std::uint64_t>::max() : status.f_favail;
}

}  // namespace traind
