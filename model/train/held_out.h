// The held-out examples: what the model is measured on after each epoch, always the same.
//
// Owned by the trainer's thread. The corpus, the vocabularies and the model must outlive it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/data/batches.h"
#include "model/data/corpus.h"
#include "model/nn/sequence_model.h"
#include "model/train/events.h"
#include "model/train/run_file.h"
#include "model/train/scores.h"

namespace traind {

struct Validation {
  double loss = 0;  // nats a target token, over all held-out examples
  Scores scores;    // of a language model, which answers nothing: of no example
  std::vector<Sample> samples;
};

class HeldOut {
 public:
  // In batches of `size`; answers are looked for as `decode` says.
  HeldOut(const Corpus& corpus, const BatchEncoding& encoding, const BatchSize& size,
          const DecodeSection& decode);

  // Loss on the first held-out examples, one batch of them, nats a target token. Quick.
  double first_batch_loss(SequenceModel& model) const;

  // Everything. `go_on` is asked after each batch; false ends it early with nothing. `samples`
  // lines are shown, drawn from (seed, epoch), corrupted ones where there are such. A language
  // model's sample is the beginning of a line as source, the rest of it as target, and what the
  // model goes on with as output.
  std::optional<Validation> validate(SequenceModel& model, std::uint64_t seed, int epoch,
                                     int samples, const std::function<bool()>& go_on) const;

 private:
  using Numbers = std::vector<std::int64_t>;  // of held-out examples

  bool language() const { return encoding_.source == nullptr; }
  std::vector<Numbers> batches_of(const Numbers& row) const;
  Batch batch_of(const Numbers& numbers) const;
  Numbers choose_samples(std::uint64_t seed, int epoch, int count) const;
  // Scores the answers to a batch, and completes those of `samples` that are among them.
  void score(SequenceModel& model, const Numbers& numbers, const Batch& batch, ScoreSum& scores,
             std::map<std::int64_t, Sample>& samples) const;
  Sample continued(SequenceModel& model, const std::string& line) const;

  const Corpus& corpus_;
  const BatchEncoding encoding_;
  const BatchSize size_;
  const DecodeSection decode_;
  std::vector<Numbers> batches_;  // all held-out examples, by length
  Batch first_;
};

}  // namespace traind
