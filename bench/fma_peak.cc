#include "bench/fma_peak.h"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <numeric>
#include <thread>
#include <vector>

namespace traind {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRepeats = 2000;

// `Chains` independent sums hide the latency of the unit: 4 cycles, 2 a cycle, and some to spare.
// Returns the operations done. Inlined into each caller, and so compiled for its target.
template <int Lanes, int Chains>
[[gnu::always_inline]] inline double chunk(float& sink) {
  using Vec [[gnu::vector_size(Lanes * sizeof(float))]] = float;
  Vec sum[Chains];
#pragma GCC unroll 12
  for (int i = 0; i < Chains; ++i) sum[i] = Vec{} + static_cast<float>(i);
  // Read from outside, so that nothing can be computed in advance; the sums converge.
  const Vec factor = Vec{} + sink;
  const Vec term = Vec{} + (1.0f - sink);
  for (int r = 0; r < kRepeats; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < Chains; ++i) {
      sum[i] = sum[i] * factor + term;
    }
  }
  float last = 0;
#pragma GCC unroll 12
  for (int i = 0; i < Chains; ++i) last += sum[i][0];
  sink += last * 1e-30f;
  return 2.0 * Lanes * Chains * kRepeats;
}

using Chunk = double (*)(float&);

#if defined(__x86_64__)
[[gnu::target("avx512f")]] double avx512_chunk(float& sink) { return chunk<16, 12>(sink); }
[[gnu::target("avx2,fma")]] double avx2_chunk(float& sink) { return chunk<8, 12>(sink); }
#endif
double baseline_chunk(float& sink) { return chunk<4, 12>(sink); }

Chunk best_chunk() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return avx512_chunk;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2_chunk;
#endif
  return baseline_chunk;
}

// GFLOP/s of all threads together.
double one_round(Chunk work, int threads, double seconds) {
  std::vector<double> rates(static_cast<std::size_t>(threads));
  std::barrier start(threads);
  const auto run = [&](std::size_t index) {
    float sink = 0.5f;
    start.arrive_and_wait();
    const Clock::time_point begin = Clock::now();
    double done = 0;
    double passed = 0;
    do {
      done += work(sink);
      passed = std::chrono::duration<double>(Clock::now() - begin).count();
    } while (passed < seconds);
    rates[index] = done / passed / 1e9;
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(run, static_cast<std::size_t>(i));
  run(0);
  for (std::thread& other : others) other.join();
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

}  // namespace

double fma_peak_gflops(int threads, double seconds) {
  constexpr int kRounds = 3;
  const Chunk work = best_chunk();
  double best = 0;
  for (int i = 0; i < kRounds; ++i) {
    best = std::max(best, one_round(work, std::max(threads, 1), seconds / kRounds));
  }
  return best;
}

}  // namespace traind
