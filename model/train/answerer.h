// Answers from a model in words: sources as text in, greedy outputs as text out.
//
// Owned by the thread that owns the model. The model and the vocabularies must outlive it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "model/data/batches.h"
#include "model/data/vocabulary.h"
#include "model/nn/sequence_model.h"

namespace traind {

// The batch as the model wants it; valid as long as the batch.
SequencePair pair_of(const Batch& batch);

class Answerer {
 public:
  Answerer(SequenceModel& model, const Vocabulary& source, const Vocabulary& target)
      : model_(model), source_(source), target_(target) {}

  // One answer for each example of the batch, in its order.
  std::vector<std::string> answer(const Batch& batch) const;
  // One answer a line, any number of lines; the lines must be valid UTF-8. An empty line answers
  // itself.
  std::vector<std::string> answer(std::span<const std::string> lines) const;

 private:
  SequenceModel& model_;
  const Vocabulary& source_;
  const Vocabulary& target_;
};

}  // namespace traind
