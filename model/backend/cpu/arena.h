// Memory that is kept and lent again: after the first batch of a shape nothing is allocated.
//
// Owned by the backend, used on its thread only. Blocks are aligned to 64 bytes (2 MiB for large
// ones) and hold whatever the last user left. Throws Error(kDevice) with the bytes asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/backend/backend.h"

namespace traind::cpu {

struct Block {
  void* memory = nullptr;
  std::size_t bytes = 0;
};
Block allocate_block(std::size_t bytes);
void free_block(const Block& block) noexcept;

class Arena {
 public:
  Arena();
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // The smallest free block that is large enough, else a new one in place of the largest that is
  // not: so the blocks kept come to fit the largest batch, and smaller batches fit in them.
  Block take(std::size_t bytes);
  void give(const Block& block) noexcept;

 private:
  std::vector<Block> free_;
};

// A block on loan; goes back when destroyed. Must not outlive its arena.
class Lease {
 public:
  Lease() = default;
  Lease(Arena& arena, std::size_t bytes) : arena_(&arena), block_(arena.take(bytes)) {}
  ~Lease() {
    if (arena_ != nullptr) arena_->give(block_);
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  Lease(Lease&& other) noexcept : arena_(other.arena_), block_(other.block_) {
    other.arena_ = nullptr;
  }
  Lease& operator=(Lease&& other) noexcept;
  void* memory() const { return block_.memory; }

 private:
  Arena* arena_ = nullptr;
  Block block_;
};

// Cuts one block into arrays. The same layout function runs twice: over no memory, to learn the
// size, then over the block.
class Carver {
 public:
  explicit Carver(void* memory = nullptr) : base_(static_cast<char*>(memory)) {}
  template <class T>
  T* take(std::size_t count) {
    T* array = base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + used_);
    used_ += (count * sizeof(T) + 63) / 64 * 64;
    return array;
  }
  float* floats(std::size_t count) { return take<float>(count); }
  std::size_t bytes() const { return used_; }

 private:
  char* base_;
  std::size_t used_ = 0;
};

// Lends what `thing.lay_out(carver)` asks for and lays it out there.
template <class Thing>
Lease lend(Arena& arena, Thing& thing) {
  Carver measure;
  thing.lay_out(measure);
  Lease lease(arena, measure.bytes());
  Carver carver(lease.memory());
  thing.lay_out(carver);
  return lease;
}

// A tape whose own memory comes from the arena too.
class CpuTape : public Tape {
 public:
  static void* operator new(std::size_t bytes, Arena& arena);
  static void operator delete(void* tape, Arena& arena) noexcept;
  static void operator delete(void* tape) noexcept;
};

}  // namespace traind::cpu
