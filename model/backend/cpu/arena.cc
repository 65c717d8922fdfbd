#include "model/backend/cpu/arena.h"

#include <new>
#include <string>
#include <utility>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "model/base/error.h"

namespace traind::cpu {
namespace {

constexpr std::size_t kSmallAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kHugeFrom = 2 * kHugePage;

std::size_t alignment_of(std::size_t bytes) {
  return bytes >= kHugeFrom ? kHugePage : kSmallAlignment;
}

// In front of a tape: where its memory goes back to.
struct alignas(kSmallAlignment) TapeHead {
  Arena* arena;
  Block block;
};

}  // namespace

Block allocate_block(std::size_t bytes) {
  if (bytes == 0) bytes = kSmallAlignment;
  void* memory = ::operator new (bytes, std::align_val_t{alignment_of(bytes)}, std::nothrow);
  if (memory == nullptr) {
    throw Error(ErrorKind::kDevice, "cpu: no memory for " + std::to_string(bytes) +
                                        " bytes; use a smaller batch or model");
  }
#ifdef __linux__
  // Weights and gates are walked with large strides; fewer pages mean fewer TLB misses.
  if (bytes >= kHugeFrom) (void)madvise(memory, bytes, MADV_HUGEPAGE);
#endif
  return {memory, bytes};
}

void free_block(const Block& block) noexcept {
  ::operator delete (block.memory, std::align_val_t{alignment_of(block.bytes)});
}

Arena::Arena() { free_.reserve(256); }

Arena::~Arena() {
  for (const Block& block : free_) free_block(block);
}

Block Arena::take(std::size_t bytes) {
  std::size_t best = free_.size();
  std::size_t largest = free_.size();
  for (std::size_t i = 0; i < free_.size(); ++i) {
    const std::size_t size = free_[i].bytes;
    if (size >= bytes && (best == free_.size() || size < free_[best].bytes)) best = i;
    if (largest == free_.size() || size > free_[largest].bytes) largest = i;
  }
  const std::size_t chosen = best < free_.size() ? best : largest;
  if (chosen == free_.size()) return allocate_block(bytes);
  const Block block = free_[chosen];
  free_[chosen] = free_.back();
  free_.pop_back();
  if (block.bytes >= bytes) return block;
  free_block(block);
  return allocate_block(bytes);
}

void Arena::give(const Block& block) noexcept { free_.push_back(block); }

Lease& Lease::operator=(Lease&& other) noexcept {
  std::swap(arena_, other.arena_);
  std::swap(block_, other.block_);
  return *this;
}

void* CpuTape::operator new(std::size_t bytes, Arena& arena) {
  const Block block = arena.take(sizeof(TapeHead) + bytes);
  auto* head = new (block.memory) TapeHead{&arena, block};
  return head + 1;
}

void CpuTape::operator delete(void* tape) noexcept {
  const TapeHead head = *(static_cast<TapeHead*>(tape) - 1);
  head.arena->give(head.block);
}

void CpuTape::operator delete(void* tape, Arena&) noexcept { CpuTape::operator delete(tape); }

}  // namespace traind::cpu
