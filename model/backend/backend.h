// The one door between the model and a device.
//
// Calls may return before the device is done; read(), take_result() and decode() wait. Owned by
// one thread (the trainer's), which makes every call. Weights cross in the canonical layout only:
// float32, row-major, named and shaped as torch.nn names them, gates in the order i f g o of an
// LSTM and r z n of a GRU.
//
// Shapes: T target steps, S source steps, B sentences, L layers, D directions (1 or 2),
//         I input width, H hidden width of one direction, M = D*H memory width, V words,
//         G gates: 4 of an LSTM, 3 of a GRU.
// Sequences are time-major: element (t, b) of [T,B] lies at t*B + b. Rows past a sentence's
// length are padding: outputs are 0 there, the recurrent state stays put, gradients are ignored.
//
// Every gradient argument is accumulated into (+=). Failures throw Error(kDevice), naming the call;
// a device that failed for good throws Error(kDeviceLost), and so does every call after it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/backend/choices.h"
#include "model/base/philox.h"

namespace traind {

// Device memory seen as a row of floats. Does not own it; valid as long as its Buffer.
struct Tensor {
  float* data = nullptr;  // an address on the device
  std::size_t size = 0;   // floats
  Tensor part(std::size_t offset, std::size_t count) const { return {data + offset, count}; }
  explicit operator bool() const { return data != nullptr; }
};

// Owns device memory; freed with it. Must not outlive its backend.
class Buffer {
 public:
  virtual ~Buffer() = default;
  Tensor tensor() const { return tensor_; }

 protected:
  Tensor tensor_;
};

// Floats of device memory as they were when they were asked for, on their way to the host. Belongs
// to the backend's thread; wait() may be called on any one other thread.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
  // Waits until they are there. [sum of the sizes], one tensor after the other, aligned to 64
  // bytes; valid as long as the snapshot.
  virtual std::span<const float> wait() = 0;
};

// What a forward call keeps for its backward call. Opaque; reused by the backend after destruction.
class Tape {
 public:
  virtual ~Tape() = default;
};

// Token ids of B sentences in host memory, [steps,B], with the true length of each.
// Sequences need not be sorted by length; each length is in 1..steps.
struct Sequences {
  std::span<const std::int32_t> ids;      // [steps,B]; padding may hold any valid id
  std::span<const std::int32_t> lengths;  // [B]
  int steps = 0;
  int batch() const { return static_cast<int>(lengths.size()); }
};

// Weights (or gradients) of one direction of one layer. I is the embedding width in layer 0, M
// above it.
struct RnnCell {
  Tensor weight_ih;  // [GH,I]
  Tensor weight_hh;  // [GH,H]
  Tensor bias_ih;    // [GH]
  Tensor bias_hh;    // [GH]
};

// A stack of recurrent layers fed by an embedding: x = embedding[ids], no dropout on x. Because the
// table is part of the call, a device may project its V rows once instead of T*B tokens.
struct RnnStack {
  CellKind cell = CellKind::kLstm;
  int layers = 1;
  int directions = 1;
  int input = 0;               // I of layer 0 = embedding width
  int hidden = 0;              // H
  int words = 0;               // V
  Tensor embedding;            // [V,I]
  std::vector<RnnCell> cells;  // [L*D], layer-major, forward direction first
  int memory() const { return directions * hidden; }
};

// State of a stack between sequences; directions lie side by side.
struct RnnState {
  Tensor h;  // [L,B,M]
  Tensor c;  // [L,B,M]; null with a GRU, which has none
};

struct RnnForward {
  Sequences input;
  RnnState initial;      // both null = zero
  Tensor output;         // [T,B,M], written
  RnnState last;         // state after each sentence's end, written; null = not wanted
  float dropout = 0;     // probability of dropping, on the output of every layer but the last
  DropoutKey mask;       // site of layer l is mask.site + l; element index is (t*B+b)*M + j
  bool training = true;  // false: no tape (null is returned) and no dropout
};

struct RnnBackward {
  Tensor d_output;      // [T,B,M]; may be overwritten; null = zero (only the state matters)
  RnnState d_last;      // null = zero
  RnnState d_initial;   // written when not null
  RnnStack* gradients;  // same shapes as the stack; +=
};

// Luong attention, "general" score, global, with the attentional vector (Luong et al., 2015, 3.1):
//   score(h,s) = h^T W_a s;  a = softmax over the true source steps;  c = sum a_s s
//   output = tanh(W_c [c; h])
struct AttentionWeights {
  Tensor score;    // W_a [M,M], applied as h^T W_a s
  Tensor combine;  // W_c [M,2M], c first
};

struct AttentionForward {
  Tensor query;                                 // h [T,B,M]
  Tensor memory;                                // s [S,B,M]
  std::span<const std::int32_t> lengths;        // of the sources, [B]
  std::span<const std::int32_t> query_lengths;  // of the targets, [B]; output is 0 past them
  int query_steps = 0;                          // T
  int memory_steps = 0;                         // S
  int width = 0;                                // M
  Tensor output;                                // [T,B,M], written
  bool training = true;                         // false: no tape
};

struct AttentionBackward {
  Tensor d_output;              // [T,B,M]; may be overwritten
  Tensor d_query;               // [T,B,M], written
  Tensor d_memory;              // [S,B,M], written
  AttentionWeights* gradients;  // +=
};

// Projection to the vocabulary and masked cross entropy, forward and backward in one:
//   logits = hidden W^T + b;  loss = sum over true steps of -log softmax(logits)[target]
struct OutputWeights {
  Tensor weight;  // [V,M]
  Tensor bias;    // [V]
};

// Dynamic loss scaling, which keeps 16-bit gradients from vanishing: loss() multiplies what it
// sends back by the scale, update() divides by it. A norm that is not finite then skips the update
// and halves the scale; kGrowthInterval good updates in a row double it. As torch.amp.GradScaler.
struct LossScale {
  static constexpr float kFirst = 65536;
  static constexpr float kLargest = 16777216;
  static constexpr int kGrowthInterval = 2000;
};

struct LossCall {
  Tensor hidden;      // [T,B,M]
  Sequences targets;  // [T,B]
  int width = 0;      // M
  int words = 0;      // V
  OutputWeights weights;
  Tensor d_hidden;                     // [T,B,M], written; null = evaluate only
  OutputWeights* gradients = nullptr;  // +=; null = evaluate only
  float gradient_scale = 1;            // gradients are of gradient_scale * smoothed loss
  // Label smoothing e (Szegedy et al., 2016, 7; as torch.nn.CrossEntropyLoss): gradients are of
  // (1 - e) * loss + e * mean over all V words of -log softmax(logits). The LossSum stays the loss
  // without it, which can be compared with the held-out one.
  float smoothing = 0;
  Tensor loss_scale;  // [2] scale, good updates since it changed; null = 1
};

// Sum over the true target steps of the batch.
struct LossSum {
  double loss = 0;           // nats
  std::int64_t tokens = 0;   // true target steps
  std::int64_t correct = 0;  // of them, those where the target has the highest logit
};

// Clip to a global norm, then an optimizer's step, over all parameters at once. Gradients are zero
// afterwards. A norm that is not finite leaves parameters and moments as they were.
struct UpdateStep {
  Optimizer optimizer = Optimizer::kAdam;
  Tensor parameters;      // [P]
  Tensor gradients;       // [P], zeroed
  Tensor first_moment;    // [P]; kSgd's m
  Tensor second_moment;   // [P]; null with kSgd
  std::int64_t step = 1;  // 1 for the first update
  float rate = 0.001f;
  float beta1 = 0.9f;
  float beta2 = 0.999f;
  float epsilon = 1e-8f;
  float momentum = 0;      // kSgd
  float weight_decay = 0;  // kAdamW, kSgd; of every parameter, biases too
  float clip_norm = 0;     // 0 = no clipping
  Tensor loss_scale;       // that of the loss() calls; updated
};

// What one training step amounts to, in the order of the update() calls.
struct StepResult {
  LossSum loss;              // of the loss() calls with gradients since the last update()
  double gradient_norm = 0;  // before clipping, without the loss scale
  bool skipped = false;      // by loss scaling: the norm is not finite, and that is no failure yet
  float loss_scale = 0;      // for the next step; 0 = there is none
};

// How answers are looked for; beam_search.h says what is found. Greedy as it stands.
struct Search {
  int beam = 1;  // hypotheses kept of each sentence, 1..kMostBeam
  int best = 1;  // of them returned, 1..beam
  // Hypotheses are compared by log p / ((5 + n) / 6)^alpha, n their tokens with `end` (Wu et al.,
  // 2016, section 7), n without `end` where it was not reached. 0 = by log p alone, which favours
  // short answers; never below 0.
  float length_alpha = 0;
  // Above 0: each token is drawn from softmax(logits / temperature) by (seed, row, step), row being
  // the sentence's place in the batch; beam and best must be 1. Devices draw the same tokens but
  // where their rounding differs.
  float temperature = 0;
  std::uint64_t seed = 0;
};
inline constexpr int kMostBeam = 64;

// Decoding of a whole batch. A hypothesis ends at `end` or after max_steps tokens, `end` included.
struct DecodeCall {
  const RnnStack* decoder = nullptr;
  RnnState initial;                              // [L,B,M]; null = zero
  const AttentionWeights* attention = nullptr;   // null = none
  Tensor memory;                                 // [S,B,M], with attention
  std::span<const std::int32_t> memory_lengths;  // [B]
  int memory_steps = 0;
  OutputWeights output;
  std::span<const std::int32_t> begin;  // [B] ids fed first
  std::int32_t end = 0;                 // id that ends a sentence; not part of the result
  int max_steps = 0;
  Search search = {};
};

struct Decoded {
  std::vector<std::int32_t> ids;  // without `end`
  // Of the ids and, where reached, of `end`: the sum of log softmax(logits), without a temperature.
  double log_probability = 0;
  double score = 0;    // what hypotheses are ordered by
  bool ended = false;  // `end` was reached
};

// Arithmetic of the matrix products. Weights, moments and sums are float32 in each of them.
enum class Precision { kFp32, kTf32, kBf16, kFp16 };

struct DeviceInfo {
  std::string kind;         // "cpu" or "cuda"
  std::string name;         // "AMD EPYC 9R45 (2 threads, avx512)"
  int threads = 0;          // compute threads; 0 on a GPU
  int step_multiple = 1;    // batches whose steps are a multiple of this have few different shapes
  bool loss_scale = false;  // its gradients need one
  std::string identity;     // what NVML knows the GPU by, "GPU-..."; empty on a CPU
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual DeviceInfo info() const = 0;
  // Zeroed. Throws Error(kDevice) with the bytes asked for when they are not to be had.
  virtual std::unique_ptr<Buffer> allocate(std::size_t floats) = 0;
  // Copies in; `source` may be reused on return. Sizes must agree.
  virtual void write(Tensor destination, std::span<const float> source) = 0;
  // Copies out; waits.
  virtual void read(Tensor source, std::span<float> destination) = 0;
  // What the tensors hold after all earlier calls. Later calls may change them at once. Memory is
  // kept for the next snapshot.
  virtual std::unique_ptr<Snapshot> snapshot(std::span<const Tensor> tensors) = 0;
  virtual std::unique_ptr<Tape> rnn_forward(const RnnStack&, const RnnForward&) = 0;
  virtual void rnn_backward(const RnnStack&, const RnnBackward&, Tape&) = 0;
  virtual std::unique_ptr<Tape> attention_forward(const AttentionWeights&,
                                                  const AttentionForward&) = 0;
  virtual void attention_backward(const AttentionWeights&, const AttentionBackward&, Tape&) = 0;
  // With gradients: the sum joins the next take_result() and {} is returned at once.
  // Evaluating only: waits, and returns the sum.
  virtual LossSum loss(const LossCall&) = 0;
  virtual void update(const UpdateStep&) = 0;
  // Result of the oldest update() whose result was not taken yet; waits.
  virtual StepResult take_result() = 0;
  // [B*best]: the k-th best answer to sentence b is at b*best + k. Where a sentence
  // has fewer than `best`, the rest have no ids and log_probability = score = -infinity.
  // Sentences do not influence each other, nor does the batch they are in, but by rounding.
  virtual std::vector<Decoded> decode(const DecodeCall&) = 0;
};

struct DeviceChoice {
  std::string device = "auto";  // "auto", "cpu" or "cuda"
  int threads = 0;              // CPU compute threads; 0 = one per core the process may use
  Precision precision = Precision::kFp32;  // a CPU knows kFp32 and, with the instructions, kBf16
  bool deterministic = false;              // equal bits every time; a CPU always gives them
};

struct ChosenBackend {
  std::unique_ptr<Backend> backend;
  std::string reason;  // why this device, in words, e.g. "auto: no CUDA plug-in is installed"
};

// Throws Error(kDevice) when the device that was asked for is not to be had, with the remedy.
ChosenBackend make_backend(const DeviceChoice& choice);

}  // namespace traind
