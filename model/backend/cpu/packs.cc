#include "model/backend/cpu/packs.h"

#include <utility>

namespace traind::cpu {
namespace {

bool same(const PackSource& a, const PackSource& b) {
  return a.weight == b.weight && a.stride == b.stride && a.groups == b.groups &&
         a.group_rows == b.group_rows && a.group_stride == b.group_stride && a.cols == b.cols &&
         a.transposed == b.transposed && a.first_group == b.first_group;
}

// A pair of bfloat16 is as long as a float; an odd depth has half a pair too many.
std::size_t packed_bytes(const Kernels& kernels, const PackSource& source) {
  const std::size_t column = (source.depth() * kernels.round_bytes + 3) / 4 * 4;
  return column * padded(source.width());
}

bool overlaps(const PackSource& source, const float* begin, std::size_t count) {
  const std::size_t rows = static_cast<std::size_t>(source.groups) * source.group_rows;
  return source.weight < begin + count && begin < source.weight + rows * source.stride;
}

}  // namespace

PackCache::Entry& PackCache::entry_for(const PackSource& source) {
  for (Entry& entry : entries_) {
    if (same(entry.source, source)) return entry;
  }
  Entry entry;
  entry.source = source;
  entry.memory = Lease(arena_, packed_bytes(kernels_, source));
  entries_.push_back(std::move(entry));
  return entries_.back();
}

const void* PackCache::packed(const PackSource& source) {
  Entry& entry = entry_for(source);
  void* packed = entry.memory.memory();
  if (entry.fresh) return packed;
  const int panels = (source.width() + kernels_.panel - 1) / kernels_.panel;
  // Moving a float takes about as long as 32 operations on it.
  const int lanes = team_.lanes_for(32.0 * static_cast<double>(source.floats()));
  team_.run(lanes, [&](const Lane& lane) {
    const Range share = lane.share(panels);
    kernels_.pack(source, share.begin, share.end, packed);
  });
  entry.fresh = true;
  return packed;
}

void PackCache::changed(const float* begin, std::size_t count) {
  for (Entry& entry : entries_) {
    if (overlaps(entry.source, begin, count)) entry.fresh = false;
  }
}

void PackCache::forget(const float* begin, std::size_t count) {
  std::erase_if(entries_, [&](const Entry& entry) { return overlaps(entry.source, begin, count); });
}

}  // namespace traind::cpu
