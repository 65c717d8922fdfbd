// What the CUDA backend asks of a GPU, and nothing more: memory, kernels, matrix products, the
// recurrent part of a layer, graphs.
//
// One thread calls it. Work is queued in order; wait() and wait_for() wait. Everything throws
// Error(kDevice) that names the call, its shape and the device; after a failure of the device
// itself (as opposed to a refused request) every later call fails too, and the process has to end.
//
// The class has two bodies. gpu/ is the real one, built with nvcc.
// tests/backend/cuda/host_device.cc runs the same kernels in host memory, so that all code above
// this header is tested without a GPU.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>

#include "model/backend/backend.h"
#include "model/backend/cuda/array.h"

namespace traind::cuda {

struct DeviceOptions {
  int ordinal = 0;
  Precision precision = Precision::kFp32;
  bool deterministic = false;  // only algorithms that give equal bits every time
};

// Type of activations and of the copies of weights that products read.
constexpr Type compute_type(Precision precision) {
  if (precision == Precision::kBf16) return Type::kBfloat16;
  return precision == Precision::kFp16 ? Type::kHalf : Type::kFloat;
}

// C = A B, or C += A B, row-major, summed in float32. A is [m,k], B is [k,n], C is [m,n]; a
// transposed operand lies in memory the other way round, and its `ld` is the length of its rows
// there. `count` such products lie `*_stride` elements apart.
struct Product {
  Array a;
  Array b;
  Array c;
  std::int32_t m = 0, n = 0, k = 0;
  std::int32_t lda = 0, ldb = 0, ldc = 0;
  std::int32_t a_transposed = 0, b_transposed = 0;  // 0 or 1
  std::int64_t a_stride = 0, b_stride = 0, c_stride = 0;
  std::int32_t count = 1;
  std::int32_t accumulate = 0;  // 1: C +=
};

// One direction of one layer over a dense batch: T steps of B sentences, all T long.
struct LayerShape {
  int steps = 0;   // T
  int batch = 0;   // B
  int input = 0;   // I
  int hidden = 0;  // H
  bool training = false;
  CellKind cell = CellKind::kLstm;
  friend bool operator<(const LayerShape& a, const LayerShape& b) {
    return std::tie(a.steps, a.batch, a.input, a.hidden, a.training, a.cell) <
           std::tie(b.steps, b.batch, b.input, b.hidden, b.training, b.cell);
  }
};

// All in the compute type. x [T,B,I], y [T,B,H], states [B,H], weights in the layer's own layout.
// With a GRU every c is null.
struct LayerForward {
  void* x = nullptr;
  void* y = nullptr;  // written
  void* first_h = nullptr;
  void* first_c = nullptr;
  void* last_c = nullptr;  // written
  void* weights = nullptr;
  void* workspace = nullptr;
  void* reserve = nullptr;  // written; for the backward pass. Null without training
};

struct LayerBackward {
  void* d_y = nullptr;
  void* d_last_c = nullptr;
  void* d_x = nullptr;        // written
  void* d_first_h = nullptr;  // written
  void* d_first_c = nullptr;  // written
  void* d_weights = nullptr;  // added to
};

class Device;

// Owned by the backend; must not outlive its device. What it needs to decide (which algorithm is
// fastest) it decides in its constructor, so that its calls can be part of a graph.
class Layer {
 public:
  Layer(Device& device, const LayerShape& shape);
  ~Layer();
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  // Where the parameters of gate g (i f g o, of a GRU r z n) lie among the layer's weights, in
  // elements from their start. Matrices are row-major: W_ih of a gate is [H,I], W_hh is [H,H].
  struct Places {
    std::array<std::size_t, 4> weight_ih{}, weight_hh{}, bias_ih{}, bias_hh{};
    std::size_t total = 0;  // elements, gaps included
  };
  const Places& places() const;
  std::size_t workspace_bytes() const;
  std::size_t reserve_bytes() const;
  // What was chosen for this shape and why, in words.
  const std::string& choice() const;

 private:
  friend class Device;
  struct Body;
  std::unique_ptr<Body> body_;
};

// A row of device work that can be started again as a whole.
class Graph {
 public:
  Graph();
  ~Graph();
  Graph(Graph&&) noexcept;
  Graph& operator=(Graph&&) noexcept;

 private:
  friend class Device;
  struct Body;
  std::unique_ptr<Body> body_;
};

class Device {
 public:
  explicit Device(const DeviceOptions& options);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const DeviceOptions& options() const;
  DeviceInfo info() const;

  // Device memory. The error says how much was asked for and how much is free.
  void* allocate(std::size_t bytes);
  // Waits for what may still use it.
  void release(void* memory) noexcept;
  // Host memory that the device can read and write by itself.
  void* allocate_shared(std::size_t bytes);
  void release_shared(void* memory) noexcept;

  // Queued. `from` must be shared memory, or the call waits.
  void copy_in(void* to, const void* from, std::size_t bytes);
  void copy_out(void* to, const void* from, std::size_t bytes);
  // Within device memory.
  void copy(void* to, const void* from, std::size_t bytes);
  void zero(void* at, std::size_t bytes);
  // Kernels are the structs under kernels/; each body of Device knows all of them.
  template <class Kernel>
  void launch(const Kernel& kernel);
  void multiply(const Product& product);
  void forward(const Layer& layer, const LayerForward& call);
  // `forward` as it was called, its memory unchanged since.
  void backward(const Layer& layer, const LayerForward& forward, const LayerBackward& call);

  // What is queued between the two is kept instead of run.
  void begin_graph();
  Graph end_graph();
  void replay(Graph& graph);

  // A point in the queue; later ones are larger.
  std::int64_t mark();
  void wait_for(std::int64_t mark);
  void wait();

  // Copies out behind all that is queued so far and beside all that is queued later; `to` is
  // shared memory. What it returns is for wait_beside(), which may be called on any thread.
  std::int64_t copy_out_beside(void* to, const void* from, std::size_t bytes);
  void wait_beside(std::int64_t mark);

 private:
  friend class Layer;
  friend class Graph;
  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace traind::cuda
