// The held-out examples: what the model is measured on after each epoch, always the same.
//
// Owned by the trainer's thread. The corpus, the vocabularies and the model must outlive it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "model/data/batches.h"
#include "model/data/corpus.h"
#include "model/nn/sequence_model.h"
#include "model/train/events.h"

namespace traind {

struct Validation {
  double loss = 0;  // nats a target token, over all held-out examples
  Scores scores;
  std::vector<Sample> samples;
};

class HeldOut {
 public:
  // Batches of `batch_size`, their steps padded to a multiple of `step_multiple`.
  HeldOut(const Corpus& corpus, const Vocabulary& source, const Vocabulary& target, int batch_size,
          int step_multiple);

  // Loss on the first held-out examples, one batch of them, nats a target token. Quick.
  double first_batch_loss(SequenceModel& model) const;

  // Everything. `go_on` is asked after each batch; false ends it early with nothing. `samples`
  // lines are shown, drawn from (seed, epoch), corrupted ones where there are such.
  std::optional<Validation> validate(SequenceModel& model, std::uint64_t seed, int epoch,
                                     int samples, const std::function<bool()>& go_on) const;

 private:
  Batch batch_of(const std::vector<std::int64_t>& numbers) const;
  std::vector<std::int64_t> choose_samples(std::uint64_t seed, int epoch, int count) const;

  const Corpus& corpus_;
  const Vocabulary& source_;
  const Vocabulary& target_;
  int batch_size_;
  int step_multiple_;
  std::vector<std::int64_t> order_;  // numbers of all held-out examples, by length
  Batch first_;
};

}  // namespace traind
