#include "model/backend/cpu/cpu_backend.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "model/backend/cpu/attention.h"
#include "model/backend/cpu/decode.h"
#include "model/backend/cpu/engine.h"
#include "model/backend/cpu/loss.h"
#include "model/backend/cpu/processor.h"
#include "model/backend/cpu/rnn.h"
#include "model/backend/cpu/streamed_copy.h"
#include "model/backend/cpu/update.h"

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

// Copied already when it is made.
class CpuSnapshot : public Snapshot {
 public:
  CpuSnapshot(Arena& arena, std::size_t floats)
      : memory_(arena, floats * sizeof(float)),
        floats_(static_cast<float*>(memory_.memory()), floats) {}
  std::span<const float> wait() override { return floats_; }
  std::span<float> floats() { return floats_; }

 private:
  Lease memory_;
  std::span<float> floats_;
};

// One tensor of a snapshot, copied by all lanes: one thread alone cannot use the memory's speed.
void copy_share(Tensor from, float* to, const Lane& lane) {
  constexpr std::size_t kCopied = 16384;  // floats
  const Range mine = lane.share(static_cast<int>((from.size + kCopied - 1) / kCopied));
  const std::size_t begin = mine.begin * kCopied;
  const std::size_t end = std::min(mine.end * kCopied, from.size);
  if (begin < end) copy_streamed(to + begin, from.data + begin, end - begin);
}

class CpuBackend : public Backend {
 public:
  explicit CpuBackend(const CpuOptions& options)
      : engine_(options.threads, options.instruction_set, options.project_words) {
    results_.reserve(16);
  }

  DeviceInfo info() const override {
    const int threads = engine_.team.size();
    DeviceInfo info;
    info.kind = "cpu";
    info.name = processor_name() + " (" + std::to_string(threads) +
                (threads == 1 ? " thread, " : " threads, ") + engine_.kernels.name + ")";
    info.threads = threads;
    return info;
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

  std::unique_ptr<Snapshot> snapshot(std::span<const Tensor> tensors) override {
    std::size_t floats = 0;
    for (const Tensor& tensor : tensors) floats += tensor.size;
    auto copy = std::make_unique<CpuSnapshot>(snapshots_, floats);
    engine_.team.run(engine_.team.lanes_for(static_cast<double>(floats)), [&](const Lane& lane) {
      float* to = copy->floats().data();
      for (const Tensor& tensor : tensors) {
        copy_share(tensor, to, lane);
        to += tensor.size;
      }
    });
    return copy;
  }

  std::unique_ptr<Tape> rnn_forward(const RnnStack& stack, const RnnForward& call) override {
    return cpu::rnn_forward(engine_, stack, call);
  }

  void rnn_backward(const RnnStack& stack, const RnnBackward& call, Tape& tape) override {
    cpu::rnn_backward(engine_, stack, call, tape);
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

  void update(const UpdateStep& step) override {
    StepResult result = cpu::update(engine_, step);
    result.loss = pending_;
    results_.push_back(result);
    pending_ = {};
  }

  StepResult take_result() override {
    require(!results_.empty(), "take_result: no update() is left to report on");
    const StepResult result = results_.front();
    results_.erase(results_.begin());
    return result;
  }

  std::vector<Decoded> decode(const DecodeCall& call) override {
    return cpu::decode(engine_, call);
  }

 private:
  Engine engine_;
  Arena snapshots_;  // of their own, so that a batch's work never takes the large block
  LossSum pending_;
  std::vector<StepResult> results_;  // of update() calls not yet taken, oldest first
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options) {
  return std::make_unique<CpuBackend>(options);
}

}  // namespace traind::cpu
