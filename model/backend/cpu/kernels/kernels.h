// The arithmetic of the CPU backend, as one table of functions per instruction set.
//
// Every function is pure arithmetic on memory the caller owns: no allocation, no locks, any
// thread. For each output element the order of additions is fixed by the shapes alone, never by
// how the work was split: whoever splits rows or columns over threads gets the same bits.
//
// Packed matrices: the right-hand side B [depth,width] is stored as panels of `panel` columns,
// each panel [depth][panel] in a row; the last panel is as narrow as `width` rounded up to the
// vector length, its missing columns zero.
#pragma once

#include <cstddef>
#include <cstdint>

namespace traind::cpu {

enum class InstructionSet { kBest, kBaseline, kAvx2, kAvx512 };

// Every packed width is padded to a multiple of this, the longest vector in floats.
constexpr int kPad = 16;
constexpr int padded(int n) { return (n + kPad - 1) / kPad * kPad; }

// A weight to be packed: its rows come in groups (the four gates), each group padded with zero
// rows from `group_rows` to `group_stride`.
struct PackSource {
  const float* weight = nullptr;  // [groups*group_rows, cols], rows `stride` floats apart
  std::size_t stride = 0;
  int groups = 1;
  int group_rows = 0;
  int group_stride = 0;
  int cols = 0;
  bool transposed = false;  // true: B = weight^T, for x W^T; false: B = weight, for dy W
  int depth() const { return transposed ? cols : groups * group_stride; }
  int width() const { return transposed ? groups * group_stride : cols; }
  std::size_t floats() const { return static_cast<std::size_t>(depth()) * padded(width()); }
};

// c [rows,cols] = a [rows,depth] * b; with `add`, +=.
struct Product {
  int rows = 0;
  int cols = 0;
  int depth = 0;
  const float* a = nullptr;
  std::size_t a_stride = 0;
  const float* b = nullptr;  // packed [depth,cols]
  float* c = nullptr;
  std::size_t c_stride = 0;
  bool add = false;
};

// c [rows,cols] += a^T b, with a [depth,rows] and b [depth,cols] as they lie in memory.
struct OuterProduct {
  int rows = 0;
  int cols = 0;
  int depth = 0;
  const float* a = nullptr;
  std::size_t a_stride = 0;
  const float* b = nullptr;
  std::size_t b_stride = 0;
  float* c = nullptr;
  std::size_t c_stride = 0;
  float* scratch = nullptr;  // outer_scratch(rows) floats
};

// One sentence at one step: gates [4*Hp] in the order i f g o, Hp = H padded.
struct GateStep {
  int padded_hidden = 0;            // Hp
  float* gates = nullptr;           // [4*Hp] sums in, activations out
  const float* bias = nullptr;      // [4*Hp]
  const float* c_before = nullptr;  // [Hp]
  float* c_after = nullptr;         // [Hp]
  float* h_after = nullptr;         // [Hp]
};

struct GateStepBack {
  int hidden = 0;                   // H
  int padded_hidden = 0;            // Hp
  float* gates = nullptr;           // [4*Hp] activations in, gradients of the sums out
  const float* c_before = nullptr;  // [Hp]
  const float* d_output = nullptr;  // [H]
  const float* d_h = nullptr;       // [Hp] from the later step
  float* d_c = nullptr;             // [Hp] from the later step in, for the earlier step out
};

// One row of logits; adds the bias, and turns logits into probabilities.
struct SoftmaxRow {
  int words = 0;
  float* logits = nullptr;      // [words] logits in, exp(logit - highest) out
  const float* bias = nullptr;  // [words]; null = none
  float highest = 0;            // out
  int best = 0;                 // out: the first index of the highest
  float sum = 0;                // out: of the exponentials
};

struct AdamRange {
  std::size_t count = 0;
  float* parameters = nullptr;
  float* gradients = nullptr;  // zeroed
  float* first_moment = nullptr;
  float* second_moment = nullptr;
  float gradient_scale = 1;  // from clipping
  float beta1 = 0, beta2 = 0, epsilon = 0;
  float rate = 0;                    // already divided by 1 - beta1^step
  float second_correction_root = 1;  // sqrt(1 - beta2^step)
};

struct MaskRange {
  std::uint64_t seed = 0, step = 0;
  std::uint32_t site = 0;
  std::uint32_t threshold = 0;
  std::uint64_t first_element = 0;
  int count = 0;
  std::uint8_t* keep = nullptr;  // [count], 1 = kept
};

struct Kernels {
  const char* name;  // "avx512", "avx2", "baseline"
  int panel;         // columns of a full panel

  void (*pack)(const PackSource&, int first_panel, int last_panel, float* packed);
  void (*multiply)(const Product&);
  void (*multiply_outer)(const OuterProduct&);
  std::size_t (*outer_scratch)(int rows);
  // out [cols] += sum over rows of a [rows, cols].
  void (*add_column_sums)(int rows, int cols, const float* a, std::size_t stride, float* out);

  void (*gate_step)(const GateStep&);
  void (*gate_step_back)(const GateStepBack&);
  void (*softmax)(SoftmaxRow&);
  void (*scale)(int count, float factor, float* values);
  float (*dot)(int count, const float* a, const float* b);
  // Elementwise, in place; absolute error below 3e-7, relative below 1e-6 (see the tests).
  void (*tanh)(int count, float* values);
  void (*sigmoid)(int count, float* values);
  void (*exp)(int count, float* values);  // relative error below 1e-6 for values in [-87, 88]
  // d *= 1 - y^2, the derivative of tanh through its value.
  void (*tanh_back)(int count, const float* y, float* d);
  void (*add)(int count, const float* from, float* to);  // to += from
  // out[i] = keep[i] ? in[i] * factor : 0; in and out may be the same.
  void (*drop)(int count, const std::uint8_t* keep, float factor, const float* in, float* out);
  void (*mask)(const MaskRange&);
  double (*square_sum)(std::size_t count, const float* values);
  void (*adam)(const AdamRange&);
};

// The table for an instruction set; kBest is the best that this machine has.
// Throws Error(kDevice) when the machine lacks the set that was asked for.
const Kernels& kernels_for(InstructionSet set);
bool machine_has(InstructionSet set) noexcept;

const Kernels& baseline_kernels() noexcept;
#ifdef TRAIND_X86_KERNELS
const Kernels& avx2_kernels() noexcept;
const Kernels& avx512_kernels() noexcept;
#endif

}  // namespace traind::cpu
