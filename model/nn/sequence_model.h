// An encoder-decoder or a language model: its parameters by name, its loss with gradients, its
// answers.
//
// Owned by the trainer's thread together with its backend. Parameters, gradients and the
// optimizer's moments are rows of device memory with the same layout, so that one call updates all.
// Names and shapes are those of torch.nn, so that a checkpoint opens in PyTorch:
//   encoder.embedding.weight [Vs,I]        decoder.embedding.weight [Vt,I]
//   encoder.lstm.weight_ih_l0[_reverse], weight_hh_.., bias_ih_.., bias_hh_..   (one module a side)
//   attention.score.weight [H,H]  attention.combine.weight [H,2H]   output.weight [Vt,H]
//   output.bias
// A GRU's modules are called encoder.gru and decoder.gru. A language model has the decoder and the
// output alone. Tied, output.weight is decoder.embedding.weight and has no name of its own.
// The encoder's last state, directions side by side, is the decoder's first. Attention in PyTorch,
// h the decoder's output [T,B,H] and s the encoder's [S,B,H]; both are Linear(.., bias=False):
//   a = softmax(einsum("tbh,sbh->bts", h, attention.score(s)), padding of s at -inf)
//   h = tanh(attention.combine(cat([einsum("bts,sbh->tbh", a, s), h], 2)))
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/backend/backend.h"
#include "model/nn/parameters.h"

namespace traind {

// Source and target of one batch, in host memory that must live until the call returns.
struct SequencePair {
  Sequences source;      // a language model does not look at it
  Sequences target_in;   // begin mark, then the target
  Sequences target_out;  // the target, then the end mark; same lengths
};

// The optimizer's settings; the rate is given at each step.
struct UpdateSettings {
  float beta1 = 0.9f;
  float beta2 = 0.999f;
  float epsilon = 1e-8f;
  float clip_norm = 0;  // 0 = no clipping
  Optimizer optimizer = Optimizer::kAdam;
  float momentum = 0;
  float weight_decay = 0;
};

// One batch of an update.
struct TrainingPass {
  std::uint64_t seed = 0;
  std::uint64_t draw = 0;   // number of the batch since the run began; with the seed, its dropout
  std::int64_t tokens = 0;  // target tokens in all batches of the update; 0 = this is the only one
  float smoothing = 0;      // as LossCall's
};

// What is asked of decode(). A language model goes on from `source`, the target's tokens so far
// with the begin mark first; its answers do not repeat them.
struct Question {
  Sequences source;
  std::int32_t begin = 0;  // marks of the target's vocabulary; a language model needs no begin
  std::int32_t end = 0;
  int max_steps = 0;  // further tokens, the end mark counted
  Search search = {};
};

class SequenceModel {
 public:
  // Parameters are zero until initialise() or restore(). The backend must outlive the model. The
  // optimizer, which update() must be called with, decides how many moments are kept.
  // Throws Error(kConfig) on an impossible shape, Error(kDevice) when it does not fit the device.
  SequenceModel(Backend& backend, const ModelShape& shape, Optimizer optimizer = Optimizer::kAdam);
  ~SequenceModel();

  const ModelShape& shape() const;
  const DeviceInfo& device() const;
  const std::vector<ParameterEntry>& parameters() const;
  std::int64_t parameter_count() const;  // without padding
  int moments() const;                   // rows of them: 1 with kSgd, else 2

  // Drawn from (seed, tensor) by the rules in initialise.cc; moments and gradients to zero.
  void initialise(std::uint64_t seed);

  // Adds the gradient of the mean loss a target token, the mean being over all batches of the
  // update. Like evaluate() and decode(), throws Error(kInternal) on a batch with a wrong length or
  // id.
  void forward_backward(const SequencePair& batch, const TrainingPass& pass);
  // Clip, update, zero the gradients. `step` is 1 for the first update.
  void update(const UpdateSettings& settings, std::int64_t step, float rate);
  // Of the oldest update() not yet asked about; waits. Its loss is the sum over all batches of the
  // update, not the mean.
  StepResult take_result();

  // Without dropout and gradients.
  LossSum evaluate(const SequencePair& batch);
  // [B*best] answers, as Backend::decode() orders them.
  std::vector<Decoded> decode(const Question& question);

  // Rows in and out, each row_size() floats; waits. What save() gives, restore() takes; gradients
  // are zero after it, and the loss scale is at its beginning. With one moment the second row is
  // left alone and may be empty.
  void save(std::span<float> weights, std::span<float> first_moment,
            std::span<float> second_moment) const;
  void restore(std::span<const float> weights, std::span<const float> first_moment,
               std::span<const float> second_moment);
  // The weights, moments() rows and, where device().loss_scale, its state, one after the other, as
  // they are now; does not wait. Must not outlive the model.
  std::unique_ptr<Snapshot> snapshot() const;
  // State of the loss scaling, [2] as in LossCall; only where device().loss_scale. Waits.
  void save_loss_scale(std::span<float> scale) const;
  void restore_loss_scale(std::span<const float> scale);
  // The gradients' row, for tests.
  void read_gradients(std::span<float> gradients) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace traind
