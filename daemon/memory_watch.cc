#include "daemon/memory_watch.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

// There where a sanitizer, whose allocator tells libc nothing, is linked in.
extern "C" __attribute__((weak)) std::size_t __sanitizer_get_current_allocated_bytes();

namespace traind {
namespace {

// It takes milliseconds of a heap that is in pieces.
constexpr std::chrono::seconds kBetweenTrims{5};

// Of the heap; 0 = its allocator does not say.
std::size_t bytes_in_use() {
  if (__sanitizer_get_current_allocated_bytes != nullptr)
    return __sanitizer_get_current_allocated_bytes();
  const struct mallinfo2 heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

}  // namespace

MemoryWatch::MemoryWatch(std::size_t more)
    : statm_(open("/proc/self/statm", O_RDONLY | O_CLOEXEC)), most_(resident_bytes() + more) {}

std::size_t MemoryWatch::resident_bytes() const {
  std::array<char, 128> text{};
  if (pread(statm_.get(), text.data(), text.size() - 1, 0) <= 0) return 0;
  char* end = nullptr;
  std::strtoull(text.data(), &end, 10);  // all that is mapped
  return std::strtoull(end, nullptr, 10) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

bool MemoryWatch::short_of_memory(Clock::time_point now) {
  // Quickly known, and never less than what is in use.
  if (resident_bytes() <= most_) return false;
  const std::size_t in_use = bytes_in_use();
  if (in_use == 0 || in_use > most_) return true;
  if (now - trimmed_ < kBetweenTrims) return false;
  trimmed_ = now;
  malloc_trim(0);
  return false;
}

}  // namespace traind
