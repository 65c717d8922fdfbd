#include "daemon/worker_log.h"

#include <fcntl.h>

#include <algorithm>
#include <sstream>

#include "daemon/descriptor.h"

namespace traind {
namespace {

constexpr std::int64_t kPiece = 65536;

std::string read_at(const Descriptor& file, std::int64_t offset, std::size_t limit) {
  std::string bytes(limit, '\0');
  const ssize_t got = pread(file.get(), bytes.data(), bytes.size(), offset);
  bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return bytes;
}

Descriptor open_log(const std::string& path) {
  return Descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

}  // namespace

std::vector<std::string> last_lines(const std::string& path, std::size_t lines) {
  const Descriptor file = open_log(path);
  if (!file.open()) return {};
  const std::int64_t size = lseek(file.get(), 0, SEEK_END);
  const std::int64_t from =
      std::max(offset_of_last_lines(path, lines), std::max<std::int64_t>(0, size - kPiece));
  std::istringstream text(read_at(file, from, static_cast<std::size_t>(kPiece)));
  std::vector<std::string> found;
  for (std::string line; std::getline(text, line);) found.push_back(std::move(line));
  if (found.size() > lines) found.erase(found.begin(), found.end() - static_cast<long>(lines));
  return found;
}

std::int64_t offset_of_last_lines(const std::string& path, std::size_t lines) {
  const Descriptor file = open_log(path);
  if (!file.open() || lines == 0) return 0;
  std::int64_t end = lseek(file.get(), 0, SEEK_END);
  std::size_t ends = 0;
  bool last = true;  // the file's last byte ends the last line and begins none
  while (end > 0) {
    const std::int64_t from = std::max<std::int64_t>(0, end - kPiece);
    const std::string bytes = read_at(file, from, static_cast<std::size_t>(end - from));
    for (std::size_t i = bytes.size(); i-- > 0;) {
      const bool counts = bytes[i] == '\n' && !last;
      last = false;
      if (counts && ++ends == lines) return from + static_cast<std::int64_t>(i) + 1;
    }
    end = from;
  }
  return 0;
}

std::string whole_lines_at(const std::string& path, std::int64_t offset, std::size_t limit,
                           bool to_the_end) {
  const Descriptor file = open_log(path);
  if (!file.open()) return {};
  std::string bytes = read_at(file, offset, limit);
  if (to_the_end && bytes.size() < limit) return bytes;
  const std::size_t last = bytes.rfind('\n');
  if (last != std::string::npos) {
    bytes.resize(last + 1);
  } else if (bytes.size() < limit) {
    bytes.clear();
  }
  return bytes;
}

}  // namespace traind
