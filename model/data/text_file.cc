#include "model/data/text_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "model/base/error.h"
#include "model/data/unpack.h"

namespace traind {
namespace {

// A file for reading and writing that no folder lists.
Descriptor open_unnamed(const std::string& folder) {
  const int unnamed = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (unnamed >= 0) return Descriptor(unnamed);
  // Some file systems cannot: there a name exists for a moment.
  std::string name = folder + "/corpus-XXXXXX";
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named < 0) {
    throw system_error(folder + ": cannot hold the unpacked corpus; name another cache folder",
                       errno);
  }
  ::unlink(name.c_str());
  return Descriptor(named);
}

void write_all(int fd, std::string_view bytes, const std::string& folder) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      throw system_error(
          folder + ": cannot hold the unpacked corpus; make room or name another cache folder",
          errno);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

MappedFile open_text_file(const std::string& path, const std::string& cache_folder,
                          const std::function<void()>& on_progress) {
  const bool gzip = path.ends_with(".gz");
  MappedFile file = MappedFile::open(path);
  if (!gzip && !path.ends_with(".zst")) return file;
  file.expect_sequential();
  const Descriptor unpacked = open_unnamed(cache_folder);
  const auto take = [&](std::string_view piece) {
    write_all(unpacked.get(), piece, cache_folder);
    if (on_progress) on_progress();
  };
  if (gzip) {
    unpack_gzip(file.bytes(), path, take);
  } else {
    unpack_zstd(file.bytes(), path, take);
  }
  return {unpacked.get(), path};
}

}  // namespace traind
