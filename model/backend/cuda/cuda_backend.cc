#include "model/backend/cuda/cuda_backend.h"

#include "model/backend/checks.h"
#include "model/backend/cuda/attention.h"
#include "model/backend/cuda/decode.h"
#include "model/backend/cuda/engine.h"
#include "model/backend/cuda/loss.h"
#include "model/backend/cuda/rnn.h"
#include "model/backend/cuda/snapshots.h"
#include "model/backend/cuda/update.h"

namespace traind::cuda {
namespace {

class CudaBuffer : public Buffer {
 public:
  CudaBuffer(Engine& engine, std::size_t floats) : engine_(engine) {
    const std::size_t bytes = floats * sizeof(float);
    void* const memory = engine.device.allocate(bytes);
    engine.device.zero(memory, bytes);
    tensor_ = {static_cast<float*>(memory), floats};
  }
  ~CudaBuffer() override {
    engine_.recorder.let_go();
    engine_.device.release(tensor_.data);
  }
  CudaBuffer(const CudaBuffer&) = delete;
  CudaBuffer& operator=(const CudaBuffer&) = delete;

 private:
  Engine& engine_;
};

class CudaBackend : public Backend {
 public:
  explicit CudaBackend(const DeviceOptions& options) : engine_(options) {}

  DeviceInfo info() const override { return engine_.device.info(); }

  std::unique_ptr<Buffer> allocate(std::size_t floats) override {
    return std::make_unique<CudaBuffer>(engine_, floats);
  }

  void write(Tensor destination, std::span<const float> source) override {
    require(destination.size == source.size(), "write: the sizes differ");
    if (source.empty()) return;
    engine_.recorder.flush();
    engine_.device.copy_in(destination.data, source.data(), source.size_bytes());
  }

  void read(Tensor source, std::span<float> destination) override {
    require(destination.size() == source.size, "read: the sizes differ");
    if (destination.empty()) return;
    engine_.recorder.flush();
    engine_.device.copy_out(destination.data(), source.data, destination.size_bytes());
    engine_.device.wait();
  }

  std::unique_ptr<Snapshot> snapshot(std::span<const Tensor> tensors) override {
    engine_.recorder.flush();
    return snapshots_.take(tensors);
  }

  std::unique_ptr<Tape> rnn_forward(const RnnStack& stack, const RnnForward& call) override {
    return cuda::rnn_forward(engine_, stack, call);
  }

  void rnn_backward(const RnnStack& stack, const RnnBackward& call, Tape& tape) override {
    cuda::rnn_backward(engine_, stack, call, tape);
  }

  std::unique_ptr<Tape> attention_forward(const AttentionWeights& weights,
                                          const AttentionForward& call) override {
    return cuda::attention_forward(engine_, weights, call);
  }

  void attention_backward(const AttentionWeights& weights, const AttentionBackward& call,
                          Tape& tape) override {
    cuda::attention_backward(engine_, weights, call, tape);
  }

  LossSum loss(const LossCall& call) override { return cuda::loss(engine_, call); }
  void update(const UpdateStep& step) override { cuda::update(engine_, step); }
  StepResult take_result() override { return cuda::take_result(engine_); }

  std::vector<Decoded> decode(const DecodeCall& call) override {
    return cuda::decode(engine_, call);
  }

 private:
  Engine engine_;
  Snapshots snapshots_{engine_.device};
};

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(const DeviceOptions& options) {
  return std::make_unique<CudaBackend>(options);
}

}  // namespace traind::cuda
