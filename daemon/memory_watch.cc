#include "daemon/memory_watch.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace traind {
namespace {

// It takes milliseconds of a heap that is in pieces.
constexpr std::chrono::seconds kBetweenTrims{5};

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
  const struct mallinfo2 heap = mallinfo2();
  const std::size_t in_use = heap.uordblks + heap.hblkhd;
  // Another allocator than libc's (a sanitizer's, say) tells libc nothing.
  if (in_use == 0 || in_use > most_) return true;
  if (now - trimmed_ < kBetweenTrims) return false;
  trimmed_ = now;
  malloc_trim(0);
  return false;
}

}  // namespace traind
