#include "model/backend/cpu/cpu_backend.h"

#include <cstring>
#include <string>
#include <vector>

#include "model/backend/cpu/adam.h"
#include "model/backend/cpu/attention.h"
#include "model/backend/cpu/decode.h"
#include "model/backend/cpu/engine.h"
#include "model/backend/cpu/loss.h"
#include "model/backend/cpu/lstm.h"
#include "model/backend/cpu/processor.h"

namespace traind::cpu {
namespace {

class CpuBuffer : public Buffer {
 public:
  CpuBuffer(PackCache& packs, std::size_t floats)
      : packs_(packs), block_(allocate_block(floats * sizeof(float))) {
    std::memset(block_.memory, 0, block_.bytes);
    tensor_ = {static_cast<float*>(block_.memory), floats};
  }
  ~CpuBuffer() override {
    packs_.forget(tensor_.data, tensor_.size);
    free_block(block_);
  }
  CpuBuffer(const CpuBuffer&) = delete;
  CpuBuffer& operator=(const CpuBuffer&) = delete;

 private:
  PackCache& packs_;
  Block block_;
};

class CpuBackend : public Backend {
 public:
  explicit CpuBackend(const CpuOptions& options)
      : engine_(options.threads, options.instruction_set) {
    results_.reserve(16);
  }

  DeviceInfo info() const override {
    const int threads = engine_.team.size();
    return {"cpu",
            processor_name() + " (" + std::to_string(threads) +
                (threads == 1 ? " thread, " : " threads, ") + engine_.kernels.name + ")",
            threads};
  }

  std::unique_ptr<Buffer> allocate(std::size_t floats) override {
    return std::make_unique<CpuBuffer>(engine_.packs, floats);
  }

  void write(Tensor destination, std::span<const float> source) override {
    require(destination.size == source.size(), "write: the sizes differ");
    if (source.empty()) return;
    std::memcpy(destination.data, source.data(), source.size_bytes());
    engine_.packs.changed(destination.data, destination.size);
  }

  void read(Tensor source, std::span<float> destination) override {
    require(destination.size() == source.size, "read: the sizes differ");
    if (destination.empty()) return;
    std::memcpy(destination.data(), source.data, destination.size_bytes());
  }

  std::unique_ptr<Tape> lstm_forward(const LstmStack& stack, const LstmForward& call) override {
    return cpu::lstm_forward(engine_, stack, call);
  }

  void lstm_backward(const LstmStack& stack, const LstmBackward& call, Tape& tape) override {
    cpu::lstm_backward(engine_, stack, call, tape);
  }

  std::unique_ptr<Tape> attention_forward(const AttentionWeights& weights,
                                          const AttentionForward& call) override {
    return cpu::attention_forward(engine_, weights, call);
  }

  void attention_backward(const AttentionWeights& weights, const AttentionBackward& call,
                          Tape& tape) override {
    cpu::attention_backward(engine_, weights, call, tape);
  }

  LossSum loss(const LossCall& call) override {
    const LossSum sum = cpu::loss(engine_, call);
    if (call.gradients == nullptr) return sum;
    pending_.loss += sum.loss;
    pending_.tokens += sum.tokens;
    pending_.correct += sum.correct;
    return {};
  }

  void adam(const AdamStep& step) override {
    const double norm = cpu::adam(engine_, step);
    results_.push_back({pending_, norm});
    pending_ = {};
  }

  StepResult take_result() override {
    require(!results_.empty(), "take_result: no adam() is left to report on");
    const StepResult result = results_.front();
    results_.erase(results_.begin());
    return result;
  }

  std::vector<Decoded> decode(const DecodeCall& call) override {
    return cpu::decode(engine_, call);
  }

 private:
  Engine engine_;
  LossSum pending_;
  std::vector<StepResult> results_;  // of adam() calls not yet taken, oldest first
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options) {
  return std::make_unique<CpuBackend>(options);
}

}  // namespace traind::cpu
