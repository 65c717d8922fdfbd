// A whole training step through the backend's calls: bidirectional encoder, decoder, attention,
// loss, Adam. For what only shows in the whole: equal bits, allocations.
#pragma once

#include <memory>
#include <vector>

#include "model/backend/backend.h"
#include "tests/backend/reference.h"

namespace traind {

struct StepShape {
  int words = 30, input = 24, hidden = 32;  // of one direction of the encoder
  int steps = 9, batch = 22;
  bool ragged = true;
  CellKind cell = CellKind::kLstm;
};

class TrainingStep {
 public:
  TrainingStep(Backend& backend, const StepShape& largest);
  // One update on a batch of at most the largest shape.
  StepResult run(const reference::Batch& source, const reference::Batch& target, int steps,
                 std::int64_t step);
  // Parameters and both moments.
  std::vector<float> state() const;

 private:
  Backend& backend_;
  reference::RnnCase encoder_, decoder_;
  std::size_t attention_at_ = 0, output_at_ = 0, size_ = 0;
  std::unique_ptr<Buffer> parameters_, gradients_, first_, second_;
  std::unique_ptr<Buffer> memory_, hidden_, attended_, d_attended_, d_hidden_, d_memory_;
  std::unique_ptr<Buffer> state_, d_state_;
  RnnStack encoder_stack_, decoder_stack_, encoder_gradients_, decoder_gradients_;
  AttentionWeights attention_, attention_gradients_;
  OutputWeights output_, output_gradients_;
};

}  // namespace traind
