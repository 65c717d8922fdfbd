#include "model/train/checkpoint_space.h"

#include "model/base/files.h"

namespace traind {
namespace {

std::string megabytes(std::uint64_t bytes) {
  constexpr std::uint64_t kMegabyte = 1'000'000;
  return std::to_string((bytes + kMegabyte - 1) / kMegabyte) + " MB";
}

}  // namespace

std::string CheckpointSpace::in_words() const {
  return "this run's checkpoints need " + megabytes(needed()) + " (" + std::to_string(files) +
         " times " + megabytes(checkpoint) + "), and " + std::to_string(free / 1'000'000) +
         " MB are free in " + folder + ": make room, or lower checkpoint.keep";
}

CheckpointSpace checkpoint_space(const std::string& folder, std::uint64_t checkpoint, int keep,
                                 std::size_t lying) {
  const std::uint64_t most = static_cast<std::uint64_t>(keep) + 2;
  return {checkpoint, lying + 1 < most ? most - lying : 1, free_bytes(folder), folder};
}

}  // namespace traind
