// Answers from a checkpoint, beside a training that goes on: its own model on the CPU.
//
// Owned by one thread. Loading reads the whole checkpoint; answering waits for the CPU.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/train/answerer.h"
#include "model/train/preparation.h"

namespace traind {

class Translator {
 public:
  // From the newest good checkpoint of the folder, or the best one. Throws Error(kNotFound) when
  // there is none yet, else as CheckpointStore and restore_model do.
  Translator(const RunFile& run, const RunFolder& folder, bool best);

  const std::string& checkpoint() const { return checkpoint_; }
  // One answer a line. Throws Error(kData) naming the line that is not
  // valid UTF-8 or has control characters in it.
  std::vector<std::string> answer(std::span<const std::string> lines);

 private:
  std::string checkpoint_;
  std::unique_ptr<Vocabulary> source_;
  std::unique_ptr<Vocabulary> target_;
  ChosenBackend device_;
  std::unique_ptr<SequenceModel> model_;
};

}  // namespace traind
