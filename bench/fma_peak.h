// What the machine's vector units could do: the measure that a benchmark's GFLOP/s are held to.
//
// Starts its own threads and waits for them. To be measured in the same run as what it is compared
// with: the peak moves with the clock and with the neighbours. Throws nothing of its own.
#pragma once

namespace traind {

// 1e9 float32 operations a second, a fused multiply-add being two, of `threads` threads at once
// with the best instruction set there is, held in registers. The best of three rounds, `seconds`
// in all.
double fma_peak_gflops(int threads, double seconds);

}  // namespace traind
