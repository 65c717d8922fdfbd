#include "daemon/disk_watch.h"

#include <algorithm>
#include <cstdio>

#include "model/base/files.h"

namespace traind {
namespace {

constexpr std::uint64_t kCheckpoints = 3;
// The database, its journal and the logs need some room too, however small the model is.
constexpr std::uint64_t kLeastBytes = std::uint64_t{16} << 20;
constexpr std::uint64_t kLeastFiles = 100;
constexpr std::chrono::hours kLately(1);
constexpr std::chrono::seconds kBetweenKeptLooks(30);

std::string amount(std::uint64_t bytes) {
  char text[32];
  const auto size = static_cast<double>(bytes);
  std::snprintf(text, sizeof text, bytes < 1'000'000'000 ? "%.1f MB" : "%.2f GB",
                bytes < 1'000'000'000 ? size / 1e6 : size / 1e9);
  return text;
}

}  // namespace

DiskRoom disk_room(const std::string& folder) { return {free_bytes(folder), free_files(folder)}; }

// Bytes that are gone since the oldest look of the last hour.
std::uint64_t DiskWatch::used_lately(std::uint64_t bytes, Clock::time_point now) {
  while (!looks_.empty() && now - looks_.front().time > kLately) looks_.pop_front();
  if (looks_.empty() || now - looks_.back().time >= kBetweenKeptLooks) {
    looks_.push_back({now, bytes});
  }
  const std::uint64_t before = looks_.front().bytes;
  return before > bytes ? before - bytes : 0;
}

std::optional<DiskWord> DiskWatch::look(const DiskRoom& room, std::uint64_t checkpoint,
                                        Clock::time_point now) {
  const std::uint64_t used = used_lately(room.bytes, now);
  const std::uint64_t checkpoints = kCheckpoints * checkpoint;
  const std::uint64_t least = std::max({checkpoints, used, kLeastBytes});
  const auto too_little = [this](std::uint64_t there, std::uint64_t needed) {
    return there < (fills_ ? needed + needed / 4 : needed);
  };
  const bool few_bytes = too_little(room.bytes, least);
  const bool few_files = too_little(room.files, kLeastFiles);
  fills_ = few_bytes || few_files;
  trouble_.clear();
  if (fills_) {
    trouble_ = few_bytes ? "the disk fills: " + amount(room.bytes) + " are free"
                         : "the disk fills: no more than " + std::to_string(room.files) +
                               " new files fit on it";
    if (few_bytes && used == least) {
      trouble_ += ", and the last hour has used " + amount(used);
    } else if (few_bytes && checkpoints == least) {
      trouble_ += ", and three checkpoints take " + amount(checkpoints);
    }
  }
  if (fills_ == filling_) return std::nullopt;
  if (fills_) return DiskWord{true, trouble_};
  return DiskWord{false, "the disk is well again: " + amount(room.bytes) + " are free"};
}

}  // namespace traind
