// After the first batch of a shape a training step allocates nothing. A program of its own,
// because it counts every operator new in the process.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "model/backend/cpu/cpu_backend.h"
#include "tests/backend/training_step.h"

namespace {

std::atomic<long> allocations{0};

void* counted(std::size_t bytes, std::size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  return std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
}
constexpr std::size_t kUsual = alignof(std::max_align_t);

void* counted_or_throw(std::size_t bytes, std::size_t alignment) {
  void* memory = counted(bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) { return counted_or_throw(bytes, kUsual); }
void* operator new[](std::size_t bytes) { return counted_or_throw(bytes, kUsual); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted_or_throw(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace traind {
namespace {

struct Kind {
  int steps, batch;
  bool ragged;
};

// Allocations of three rounds of batches, after one that was not counted.
long counted_after_the_first(cpu::InstructionSet set, CellKind cell) {
  const auto backend = cpu::make_cpu_backend({2, set});
  StepShape largest;
  largest.cell = cell;
  TrainingStep training(*backend, largest);
  const Kind kinds[] = {{9, 22, true}, {4, 22, false}, {9, 5, true}, {7, 13, true}};
  std::vector<reference::Batch> sources, targets;
  for (const Kind& kind : kinds) {
    sources.push_back(reference::batch_of(kind.steps, kind.batch, largest.words, kind.ragged, 1));
    targets.push_back(reference::batch_of(kind.steps, kind.batch, largest.words, kind.ragged, 2));
  }
  std::int64_t step = 0;
  const auto all_shapes = [&] {
    for (std::size_t i = 0; i < sources.size(); ++i) {
      training.run(sources[i], targets[i], kinds[i].steps, ++step);
    }
  };
  all_shapes();
  const long before = allocations.load();
  EXPECT_GT(before, 0);
  for (int i = 0; i < 3; ++i) all_shapes();
  return allocations.load() - before;
}

TEST(Allocations, AreNoneOnceEveryShapeHasBeenSeen) {
  for (const CellKind cell : {CellKind::kLstm, CellKind::kGru}) {
    EXPECT_EQ(counted_after_the_first(cpu::InstructionSet::kBest, cell), 0);
  }
}

TEST(Allocations, AreNoneInBfloat16) {
  if (!cpu::machine_has(cpu::InstructionSet::kAvx512Bf16)) GTEST_SKIP() << "no AVX512-BF16 here";
  for (const CellKind cell : {CellKind::kLstm, CellKind::kGru}) {
    EXPECT_EQ(counted_after_the_first(cpu::InstructionSet::kAvx512Bf16, cell), 0);
  }
}

}  // namespace
}  // namespace traind
