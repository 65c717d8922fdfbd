// The arithmetic of the CPU backend, as one table of functions per instruction set.
//
// Every function is pure arithmetic on memory the caller owns: no allocation, no locks, any
// thread. For each output element the order of additions is fixed by the shapes alone, never by
// how the work was split: whoever splits rows or columns over threads gets the same bits.
//
// Products multiply operands: floats, or with the table of bfloat16 floats rounded to that (to the
// nearest, ties to even), two at a time. Sums are floats in both. Floats are rounded on the way in;
// what takes part in several products is better rounded once, with round().
//
// Packed matrices: the right-hand side B [depth,width] is stored as panels of `panel` columns,
// each panel [depth][panel] in a row (of bfloat16: [depth/2][panel][2]); the last panel is as
// narrow as `width` rounded up to the vector length. What is missing in depth and width is zero.
#pragma once

#include <cstddef>
#include <cstdint>

namespace traind::cpu {

// kBest is the fastest that multiplies floats. kAvx512Bf16 multiplies bfloat16.
enum class InstructionSet { kBest, kBaseline, kAvx2, kAvx512, kAvx512Bf16 };

// Every packed width is padded to a multiple of this, the longest vector in floats.
constexpr int kPad = 16;
constexpr int padded(int n) { return (n + kPad - 1) / kPad * kPad; }

// A weight to be packed: its rows come in groups (the gates), each group padded with zero rows from
// `group_rows` to `group_stride`.
struct PackSource {
  const float* weight = nullptr;  // [groups*group_rows, cols], rows `stride` floats apart
  std::size_t stride = 0;
  int groups = 1;
  int group_rows = 0;
  int group_stride = 0;
  int cols = 0;
  bool transposed = false;  // true: B = weight^T, for x W^T; false: B = weight, for dy W
  int first_group = 0;      // the packed group g is the weight's (g + first_group) % groups
  int depth() const { return transposed ? cols : groups * group_stride; }
  int width() const { return transposed ? groups * group_stride : cols; }
  // Room for the panels of any table, in floats.
  std::size_t floats() const { return static_cast<std::size_t>(depth()) * padded(width()); }
};

// c [rows,cols] = a [rows,depth] * b; with `add`, +=.
struct Product {
  int rows = 0;
  int cols = 0;
  int depth = 0;
  const void* a = nullptr;   // floats; `rounded`: as round() writes them
  std::size_t a_stride = 0;  // in elements of a
  const void* b = nullptr;   // packed [depth,cols]
  float* c = nullptr;
  std::size_t c_stride = 0;
  bool add = false;
  // Rows then begin at multiples of 4 bytes, and are zero to the next one past `depth`.
  bool rounded = false;
};

// c [rows,cols] += a^T b, with a [depth,rows] and b [depth,cols] as they lie in memory.
struct OuterProduct {
  int rows = 0;
  int cols = 0;
  int depth = 0;
  const void* a = nullptr;
  std::size_t a_stride = 0;
  const void* b = nullptr;
  std::size_t b_stride = 0;
  float* c = nullptr;
  std::size_t c_stride = 0;
  float* scratch = nullptr;  // outer_scratch(rows) floats
  bool a_rounded = false;    // floats, or as round() writes them
  bool b_rounded = false;
};

// One sentence at one step. The row of gates is 4 blocks of Hp = H padded. Of an LSTM: i f g o. Of
// a GRU: n_x r z n_h, the candidate's sums over the input and over the state lying apart.
struct GateStep {
  int padded_hidden = 0;          // Hp
  float* gates = nullptr;         // [4*Hp] sums in, what the way back needs out
  const float* bias = nullptr;    // [4*Hp]
  const float* before = nullptr;  // [Hp] the float32 state: c of an LSTM, h of a GRU
  float* after = nullptr;         // [Hp] the same, one step on
  float* h_after = nullptr;       // [Hp]; not used with a GRU, whose state it is
};

struct GateStepBack {
  int hidden = 0;                   // H
  int padded_hidden = 0;            // Hp
  const float* gates = nullptr;     // [4*Hp] as the step left them
  float* d_gates = nullptr;         // [4*Hp] gradients of the sums; may be `gates`
  const float* before = nullptr;    // [Hp]
  const float* d_output = nullptr;  // [H]
  // [Hp] from the later step in. Of a GRU also out: what does not pass through the products.
  float* d_h = nullptr;
  float* d_c = nullptr;  // [Hp] from the later step in, for the earlier step out; LSTM only
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

// A piece of an optimizer's update.
struct UpdateRange {
  std::size_t count = 0;
  float* parameters = nullptr;
  float* gradients = nullptr;  // zeroed
  float* first_moment = nullptr;
  float* second_moment = nullptr;  // null with SGD
  float gradient_scale = 1;        // from clipping
};

struct AdamRange {
  UpdateRange range;
  float beta1 = 0, beta2 = 0, epsilon = 0;
  float rate = 0;                    // already divided by 1 - beta1^step
  float second_correction_root = 1;  // sqrt(1 - beta2^step)
  float keep = 1;                    // 1 - rate * decay, of the parameters; AdamW's
};

struct SgdRange {
  UpdateRange range;
  float momentum = 0, decay = 0;
  float rate = 0;
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
  const char* name;         // "avx512", "avx2", "baseline", "avx512, bf16"
  int panel;                // columns of a full panel
  std::size_t round_bytes;  // of a float as round() writes it: 4, or 2 of bfloat16

  void (*pack)(const PackSource&, int first_panel, int last_panel, void* packed);
  void (*multiply)(const Product&);
  void (*multiply_outer)(const OuterProduct&);
  std::size_t (*outer_scratch)(int rows);
  // out [cols] += sum over rows of a [rows, cols].
  void (*add_column_sums)(int rows, int cols, const float* a, std::size_t stride, float* out);

  // A copy in the table of floats.
  void (*round)(int count, const float* from, void* to);
  // With what round() wrote: to += from, and as add_column_sums.
  void (*add_rounded)(int count, const void* from, float* to);
  void (*add_rounded_column_sums)(int rows, int cols, const void* a, std::size_t stride,
                                  float* out);

  void (*lstm_step)(const GateStep&);
  void (*lstm_step_back)(const GateStepBack&);
  void (*gru_step)(const GateStep&);
  void (*gru_step_back)(const GateStepBack&);
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
  void (*sgd)(const SgdRange&);
};

// The table for an instruction set; kBest is the best that this machine has.
// Throws Error(kDevice) when the machine lacks the set that was asked for.
const Kernels& kernels_for(InstructionSet set);
bool machine_has(InstructionSet set) noexcept;

const Kernels& baseline_kernels() noexcept;
#ifdef TRAIND_X86_KERNELS
const Kernels& avx2_kernels() noexcept;
const Kernels& avx512_kernels() noexcept;
const Kernels& avx512_bf16_kernels() noexcept;
#endif

}  // namespace traind::cpu
