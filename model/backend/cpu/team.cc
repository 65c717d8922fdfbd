#include "model/backend/cpu/team.h"

#ifdef __linux__
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace traind::cpu {
namespace {

constexpr int kSpins = 2000;  // some 10 us: lanes of even shares arrive that close together
constexpr int kNice = 10;

// Until `value` is no longer `seen`.
template <class T>
void wait_for_change(const std::atomic<T>& value, T seen) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != seen) return;
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  while (value.load(std::memory_order_acquire) == seen) {
    value.wait(seen, std::memory_order_acquire);
  }
}

void lower_own_priority() {
#ifdef __linux__
  // A thread id is a process id to setpriority(2). Refusal is harmless.
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
#endif
}

}  // namespace

int usable_cores() noexcept {
#ifdef __linux__
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
  const unsigned cores = std::thread::hardware_concurrency();
  return cores == 0 ? 1 : static_cast<int>(cores);
}

void Barrier::wait(int lanes) {
  const unsigned round = round_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == lanes) {
    arrived_.store(0, std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_acq_rel);
    round_.notify_all();
    return;
  }
  wait_for_change(round_, round);
}

Range Lane::share(int n, int grain) const {
  const long long blocks = (n + grain - 1) / grain;
  const auto cut = [&](int lane) {
    const long long at = blocks * lane / count_ * grain;
    return static_cast<int>(at < n ? at : n);
  };
  return {cut(index_), cut(index_ + 1)};
}

Team::Team(int threads) {
  lanes_ = threads > 0 ? threads : usable_cores();
  threads_.reserve(static_cast<std::size_t>(lanes_));
  for (int i = 0; i < lanes_; ++i) threads_.emplace_back([this, i] { serve(i); });
}

Team::~Team() {
  closing_.store(true, std::memory_order_release);
  call_.fetch_add(1, std::memory_order_acq_rel);
  call_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Team::run_on_all(Job job, void* argument) {
  job_ = job;
  argument_ = argument;
  busy_.store(lanes_, std::memory_order_relaxed);
  call_.fetch_add(1, std::memory_order_acq_rel);
  call_.notify_all();
  for (int left = busy_.load(std::memory_order_acquire); left > 0;
       left = busy_.load(std::memory_order_acquire)) {
    busy_.wait(left, std::memory_order_acquire);
  }
}

void Team::serve(int index) {
  lower_own_priority();
  unsigned seen = 0;
  for (;;) {
    wait_for_change(call_, seen);
    ++seen;
    if (closing_.load(std::memory_order_acquire)) return;
    job_(argument_, Lane(index, lanes_, &barrier_));
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_all();
  }
}

}  // namespace traind::cpu
