#include "tests/checkpoint/crashing_files.h"

#include <filesystem>
#include <fstream>
#include <utility>

#include "model/base/error.h"

namespace traind {
namespace {

namespace fs = std::filesystem;

std::string name_of(const std::string& path) { return fs::path(path).filename().string(); }

// How much of the unsynced end of a file the disk got: none, all or something between; and what it
// did not get may read as zeros, as after a file system's delayed allocation.
std::string partly(const std::string& live, const std::string& synced, RandomStream& random) {
  if (live.size() <= synced.size()) return synced;
  const auto lost = static_cast<std::uint32_t>(live.size() - synced.size());
  const std::size_t kept = synced.size() + random.below(lost + 1);
  const std::string content = live.substr(0, kept);
  return random.below(2) == 0 ? content : content + std::string(live.size() - kept, '\0');
}

}  // namespace

CrashingFiles::CrashingFiles(std::string folder, int nth) : folder_(std::move(folder)), nth_(nth) {
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const std::string content = read_whole(entry.path().string());
    live_[entry.path().filename().string()] = std::make_shared<File>(File{content, content});
  }
  synced_ = live_;
}

void CrashingFiles::live_or_throw() {
  ++count_;
  dead_ = dead_ || count_ == nth_;
  if (dead_) throw Error(ErrorKind::kIo, "no power");
}

void CrashingFiles::change(const std::function<void(Names&)>& change) {
  change(live_);
  unsynced_changes_.push_back(change);
}

int CrashingFiles::create(const std::string& path) {
  live_or_throw();
  const int fd = posix_files().create(path);
  const auto file = std::make_shared<File>();
  open_[fd] = file;
  change([name = name_of(path), file](Names& names) { names[name] = file; });
  return fd;
}

void CrashingFiles::write(int fd, std::span<const std::byte> bytes, const std::string& path) {
  live_or_throw();
  posix_files().write(fd, bytes, path);
  open_.at(fd)->live.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void CrashingFiles::sync(int fd, const std::string&) {
  live_or_throw();
  open_.at(fd)->synced = open_.at(fd)->live;
}

void CrashingFiles::close(int fd) noexcept {
  posix_files().close(fd);
  open_.erase(fd);
}

void CrashingFiles::rename(const std::string& from, const std::string& to) {
  live_or_throw();
  posix_files().rename(from, to);
  change([from = name_of(from), to = name_of(to)](Names& names) {
    const auto found = names.find(from);
    if (found == names.end()) return;
    names[to] = found->second;
    names.erase(from);
  });
}

void CrashingFiles::remove(const std::string& path) {
  live_or_throw();
  posix_files().remove(path);
  change([name = name_of(path)](Names& names) { names.erase(name); });
}

void CrashingFiles::sync_directory(const std::string&) {
  live_or_throw();
  synced_ = live_;
  unsynced_changes_.clear();
}

void CrashingFiles::lose_power(Loss loss, RandomStream random) {
  dead_ = true;
  Names found = synced_;
  const auto changes = static_cast<std::uint32_t>(unsynced_changes_.size());
  std::uint32_t done = 0;
  if (loss == Loss::kContent) done = changes;
  if (loss == Loss::kRandom) done = random.below(changes + 1);
  for (std::uint32_t i = 0; i < done; ++i) unsynced_changes_[i](found);
  for (const auto& entry : fs::directory_iterator(folder_)) fs::remove(entry.path());
  for (const auto& [name, file] : found) {
    std::string content = file->synced;
    if (loss == Loss::kNames) content = file->live;
    if (loss == Loss::kRandom) content = partly(file->live, file->synced, random);
    std::ofstream(folder_ + "/" + name, std::ios::binary) << content;
  }
}

}  // namespace traind
