// Durable files: a file appears under its name whole and on disk, or not at all.
//
// FileOps is the seam to the operating system, so that a test can fail or kill at every n-th
// operation. posix_files() is the real one. All of it waits for the disk; safe on any thread as
// long as two threads do not work on one path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace traind {

// Every method throws Error(kIo) or Error(kNoSpace) naming the path, unless it says otherwise.
class FileOps {
 public:
  virtual ~FileOps() = default;
  // Creates or truncates for writing, mode 0640. Caller closes.
  virtual int create(const std::string& path) = 0;
  // Writes all of it; a short write goes on, EINTR is repeated.
  virtual void write(int fd, std::span<const std::byte> bytes, const std::string& path) = 0;
  // fsync. After a failure the file must be given up: the kernel may have dropped the pages.
  virtual void sync(int fd, const std::string& path) = 0;
  // Never throws: an error here says nothing that sync() has not said.
  virtual void close(int fd) noexcept = 0;
  virtual void rename(const std::string& from, const std::string& to) = 0;
  virtual void remove(const std::string& path) = 0;
  // fsync of a directory: makes renames and removals in it durable.
  virtual void sync_directory(const std::string& path) = 0;
};

// The operating system itself; lives as long as the program.
FileOps& posix_files();

// Makes `parts`, one after another, the content of `path`: temporary file beside it, write, fsync,
// rename, fsync of the folder. On failure the old file is untouched, the temporary one is removed
// as far as possible, and the error is thrown; only when the folder could not be synced, the new
// file is in place already, whole, and may be the old one again after a power cut.
void write_durably(FileOps& files, const std::string& path,
                   std::span<const std::span<const std::byte>> parts);
void write_durably(FileOps& files, const std::string& path, const std::string& content);

// The suffix of temporary files that write_durably leaves after a crash: ".tmp".
inline constexpr const char* kTemporarySuffix = ".tmp";

// Whole file as bytes. `on_read` (may be empty) is called after each piece of a few MiB; what it
// throws is passed on. Throws Error(kNotFound | kIo), and Error(kData) above `limit` bytes.
std::string read_whole(const std::string& path, std::uint64_t limit = std::uint64_t{1} << 30,
                       const std::function<void()>& on_read = {});

// Creates the folder and its parents, mode 0750, durably. Existing is fine. Throws Error(kIo).
void make_folders(const std::string& path);

// What an unprivileged process may still put on the file system of `path`. Both throw Error(kIo).
std::uint64_t free_bytes(const std::string& path);
// Files and folders; the largest number there is where the file system has no such limit.
std::uint64_t free_files(const std::string& path);

}  // namespace traind
