#include "model/checkpoint/store.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "model/base/error.h"

namespace traind {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "checkpoint-";
constexpr std::string_view kSuffix = ".safetensors";
// Kept in the file too, so that a renamed file is not taken for another step.
constexpr const char* kStepKey = "traind.step";
// Small enough that a slow disk is seen to move, large enough to cost nothing.
constexpr std::size_t kChunk = std::size_t{4} << 20;
constexpr std::uint64_t kMostUnsynced = std::uint64_t{64} << 20;
constexpr std::chrono::seconds kQuickSync{1};

// Passes everything on and tells of each movement. Syncs every 64 MiB, and more often on a disk
// that takes long for less: one fsync of a large file on a slow disk would look like a hang, and
// would hold up every other writer of that disk.
class ReportingFiles final : public FileOps {
 public:
  ReportingFiles(FileOps& files, const std::function<void(std::uint64_t)>& wrote)
      : files_(files), wrote_(wrote) {}

  int create(const std::string& path) override {
    const int fd = files_.create(path);
    report();
    return fd;
  }
  void write(int fd, std::span<const std::byte> bytes, const std::string& path) override {
    files_.write(fd, bytes, path);
    written_ += bytes.size();
    report();
    if (written_ - synced_ >= sync_every_) sync(fd, path);
  }
  void sync(int fd, const std::string& path) override {
    const auto begin = std::chrono::steady_clock::now();
    files_.sync(fd, path);
    synced_ = written_;
    const bool quick = std::chrono::steady_clock::now() - begin < kQuickSync;
    sync_every_ = quick ? std::min(2 * sync_every_, kMostUnsynced)
                        : std::max<std::uint64_t>(sync_every_ / 2, kChunk);
    report();
  }
  void close(int fd) noexcept override { files_.close(fd); }
  void rename(const std::string& from, const std::string& to) override {
    files_.rename(from, to);
    report();
  }
  void remove(const std::string& path) override {
    files_.remove(path);
    report();
  }
  void sync_directory(const std::string& path) override {
    files_.sync_directory(path);
    report();
  }

 private:
  void report() const {
    if (wrote_) wrote_(written_);
  }

  FileOps& files_;
  const std::function<void(std::uint64_t)>& wrote_;
  std::uint64_t written_ = 0;
  std::uint64_t synced_ = 0;
  std::uint64_t sync_every_ = kChunk;  // until the disk is known
};

void append_chunks(std::vector<std::span<const std::byte>>& parts,
                   std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), kChunk);
    parts.push_back(bytes.first(size));
    bytes = bytes.subspan(size);
  }
}

// Names in the folder for which `step_of` gives a step, newest first; of one step the shortest
// first.
template <typename StepOf>
std::vector<std::string> names_in(const std::string& folder, StepOf step_of) {
  std::vector<std::pair<std::int64_t, std::string>> found;
  std::error_code error;
  fs::directory_iterator at(folder, error);
  for (; !error && at != fs::directory_iterator(); at.increment(error)) {
    std::string name = at->path().filename().string();
    const std::int64_t step = step_of(name);
    if (step >= 0) found.emplace_back(step, std::move(name));
  }
  if (error) throw system_error("cannot list checkpoints in " + folder, error.value());
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  std::vector<std::string> names;
  names.reserve(found.size());
  for (auto& [step, name] : found) names.push_back(std::move(name));
  return names;
}

// Of a name of ours with this suffix behind it, else -1.
std::int64_t step_before(std::string_view suffix, const std::string& name) {
  if (!name.ends_with(suffix)) return -1;
  return step_of_checkpoint(name.substr(0, name.size() - suffix.size()));
}

std::int64_t step_of_leftover(const std::string& name) {
  return step_before(kTemporarySuffix, name);
}

std::int64_t step_of_quarantined(const std::string& name) {
  return step_before(kQuarantineSuffix, name);
}

// Also when there is no use in looking for an older one.
[[noreturn]] void refuse_all(const std::string& folder, std::size_t all, std::size_t set_aside) {
  std::string message =
      "none of the " + std::to_string(all) + " checkpoints in " + folder + " can be used";
  if (set_aside > 0) {
    message += "; " + std::to_string(set_aside) + " of them were set aside as NAME" +
               kQuarantineSuffix + ": take that off a name to have the file tried again";
  }
  throw Error(ErrorKind::kCorrupt,
              message + "; put a good one there, or move the folder away to start over");
}

// Size of a regular file. Anything else under our name is foreign; a pipe would even block us.
std::uint64_t size_of_file(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    throw Error(ErrorKind::kNotFound, "no such checkpoint: " + path);
  }
  if (status.type() != fs::file_type::regular && !error) {
    throw Error(ErrorKind::kCorrupt, "not a regular file");
  }
  const std::uint64_t size = error ? 0 : fs::file_size(path, error);
  if (error) throw system_error("cannot look at " + path, error.value());
  return size;
}

// The header alone, checked against the file's size: whoever reads on takes memory for a file
// that is what it says, and not for whatever lies there.
Metadata read_metadata(const std::string& path) {
  const std::uint64_t size = size_of_file(path);
  std::ifstream file(path, std::ios::binary);
  std::string start(static_cast<std::size_t>(std::min<std::uint64_t>(size, 8)), '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  if (!file) throw Error(ErrorKind::kIo, "cannot read " + path);
  const std::uint64_t wanted = header_bytes(std::as_bytes(std::span(start)), size);
  start.resize(static_cast<std::size_t>(wanted));
  file.read(start.data() + 8, static_cast<std::streamsize>(wanted - 8));
  if (!file) throw Error(ErrorKind::kIo, "cannot read " + path);
  return decode_metadata(std::as_bytes(std::span(start)), size);
}

// The same, and the step in the file must be the one in its name.
void check_metadata(const Metadata& metadata, std::int64_t step) {
  const auto found = metadata.find(kStepKey);
  const std::string inside = found == metadata.end() ? "no step" : "step " + found->second;
  if (inside != "step " + std::to_string(step)) {
    throw Error(ErrorKind::kCorrupt, "the file holds " + inside + "; it was renamed or is foreign");
  }
}

}  // namespace

std::string checkpoint_name(std::int64_t step) {
  if (step < 0) throw Error(ErrorKind::kInternal, "a checkpoint of a negative step");
  std::string digits = std::to_string(step);
  if (digits.size() < 12) digits.insert(0, 12 - digits.size(), '0');
  return std::string(kPrefix) + digits + std::string(kSuffix);
}

std::int64_t step_of_checkpoint(const std::string& name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return -1;
  const char* first = name.data() + kPrefix.size();
  const char* last = name.data() + name.size() - kSuffix.size();
  std::int64_t step = -1;
  if (first >= last || std::from_chars(first, last, step).ptr != last || step < 0) return -1;
  return checkpoint_name(step) == name ? step : -1;
}

CheckpointStore::CheckpointStore(FileOps& files, std::string folder)
    : files_(files), folder_(std::move(folder)) {
  make_folders(folder_);
}

std::vector<std::string> CheckpointStore::list() const {
  return names_in(folder_, step_of_checkpoint);
}

void CheckpointStore::remove_leftovers(FileOps& files) {
  if (removed_leftovers_) return;
  for (const std::string& name : names_in(folder_, step_of_leftover)) {
    files.remove(folder_ + "/" + name);
  }
  removed_leftovers_ = true;
}

void CheckpointStore::save(std::int64_t step, const CheckpointView& view,
                           const std::function<void(std::uint64_t)>& wrote) {
  const std::string name = checkpoint_name(step);
  ReportingFiles reporting(files_, wrote);
  remove_leftovers(reporting);
  CheckpointView stamped = view;
  stamped.metadata[kStepKey] = std::to_string(step);
  const std::string header = encode_header(stamped);
  std::vector<std::span<const std::byte>> parts;
  append_chunks(parts, std::as_bytes(std::span(header)));
  for (const TensorView& tensor : view.tensors) {
    append_chunks(parts, std::as_bytes(tensor.values));
  }
  removed_leftovers_ = false;  // as long as it is not known that this save leaves none
  write_durably(reporting, folder_ + "/" + name, parts);
  removed_leftovers_ = true;
  unreadable_.erase(name);
  newest_saved_ = std::max(newest_saved_, step);
}

LoadedCheckpoint CheckpointStore::load(const std::string& file,
                                       const std::function<void()>& on_read) const {
  LoadedCheckpoint loaded;
  loaded.file = file;
  loaded.step = step_of_checkpoint(file);
  const std::string path = folder_ + "/" + file;
  if (loaded.step < 0) throw Error(ErrorKind::kNotFound, "not a checkpoint's name: " + path);
  try {
    check_metadata(read_metadata(path), loaded.step);
    const std::string bytes = read_whole(path, size_of_file(path), on_read);
    loaded.bytes = bytes.size();
    loaded.content = decode_checkpoint(std::as_bytes(std::span(bytes)));
    check_metadata(loaded.content.metadata, loaded.step);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kCancelled) throw;
    unreadable_.insert(file);
    if (error.kind() != ErrorKind::kCorrupt && error.kind() != ErrorKind::kState) throw;
    throw Error(error.kind(), path + ": " + error.what());
  }
  loaded.content.metadata.erase(kStepKey);
  return loaded;
}

std::optional<LoadedCheckpoint> CheckpointStore::newest_good(
    const std::function<void(const std::string&, const std::string&)>& on_bad,
    const LoadHooks& hooks) const {
  const std::vector<std::string> names = names_in(folder_, [](const std::string& name) {
    return std::max(step_of_checkpoint(name), step_of_quarantined(name));
  });
  std::size_t set_aside = 0;
  for (const std::string& name : names) {
    if (step_of_quarantined(name) >= 0) {
      ++set_aside;
      if (on_bad) {
        on_bad(name, std::string("it was set aside, because workers crashed while they loaded it; "
                                 "take ") +
                         kQuarantineSuffix + " off its name to have it tried again");
      }
      continue;
    }
    try {
      if (hooks.on_load) hooks.on_load(name);
      LoadedCheckpoint loaded = load(name, hooks.on_read);
      if (hooks.accept) hooks.accept(loaded);
      return loaded;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kState || error.kind() == ErrorKind::kCancelled) throw;
      unreadable_.insert(name);
      if (on_bad) on_bad(name, error.what());
    }
  }
  if (names.empty()) return std::nullopt;
  refuse_all(folder_, names.size(), set_aside);
}

bool CheckpointStore::is_readable(const std::string& file) const {
  if (unreadable_.contains(file)) return false;
  try {
    check_metadata(read_metadata(folder_ + "/" + file), step_of_checkpoint(file));
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::vector<std::string> CheckpointStore::prune(int keep, std::int64_t best,
                                                const std::function<void()>& looked) {
  std::vector<std::string> removed;
  int kept = 0;
  for (const std::string& name : list()) {
    const std::int64_t step = step_of_checkpoint(name);
    if (step > newest_saved_ || !is_readable(name)) continue;
    if (kept < std::max(keep, 1)) {
      ++kept;
    } else if (step != best) {
      files_.remove(folder_ + "/" + name);
      removed.push_back(name);
    }
    if (looked) looked();
  }
  return removed;
}

}  // namespace traind
