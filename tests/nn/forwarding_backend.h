// A backend that passes every call on to another: what a test changes, it overrides.
// Owned by the test; owns the one it wraps, or must not outlive it.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "model/backend/backend.h"

namespace traind {

class ForwardingBackend : public Backend {
 public:
  explicit ForwardingBackend(Backend& inner) : inner_(inner) {}
  explicit ForwardingBackend(std::unique_ptr<Backend> inner)
      : owned_(std::move(inner)), inner_(*owned_) {}

  DeviceInfo info() const override { return inner_.info(); }
  std::unique_ptr<Buffer> allocate(std::size_t floats) override { return inner_.allocate(floats); }
  void write(Tensor destination, std::span<const float> source) override {
    inner_.write(destination, source);
  }
  void read(Tensor source, std::span<float> destination) override {
    inner_.read(source, destination);
  }
  std::unique_ptr<Snapshot> snapshot(std::span<const Tensor> tensors) override {
    return inner_.snapshot(tensors);
  }
  std::unique_ptr<Tape> rnn_forward(const RnnStack& stack, const RnnForward& call) override {
    return inner_.rnn_forward(stack, call);
  }
  void rnn_backward(const RnnStack& stack, const RnnBackward& call, Tape& tape) override {
    inner_.rnn_backward(stack, call, tape);
  }
  std::unique_ptr<Tape> attention_forward(const AttentionWeights& weights,
                                          const AttentionForward& call) override {
    return inner_.attention_forward(weights, call);
  }
  void attention_backward(const AttentionWeights& weights, const AttentionBackward& call,
                          Tape& tape) override {
    inner_.attention_backward(weights, call, tape);
  }
  LossSum loss(const LossCall& call) override { return inner_.loss(call); }
  void update(const UpdateStep& step) override { inner_.update(step); }
  StepResult take_result() override { return inner_.take_result(); }
  std::vector<Decoded> decode(const DecodeCall& call) override { return inner_.decode(call); }

 private:
  std::unique_ptr<Backend> owned_;
  Backend& inner_;
};

}  // namespace traind
