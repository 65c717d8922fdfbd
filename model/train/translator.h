// Answers from a checkpoint, beside a training that goes on: its own model on the CPU.
//
// Owned by one thread. Loading reads the whole checkpoint; answering waits for the CPU.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/train/answerer.h"
#include "model/train/preparation.h"

namespace traind {

struct TranslateOptions {
  bool best = false;              // from the best checkpoint, not the newest
  std::optional<int> beam;        // empty = the run file's; wide enough for `answers`
  int answers = 1;                // to a line
  double temperature = 0;         // above 0: answers are drawn; needs a beam of 1 or none given
  std::uint64_t seed = 1;         // of the draws
  std::optional<int> max_tokens;  // of an answer; empty = as AnswerSettings says
};

class Translator {
 public:
  // From the newest good checkpoint of the folder, or the best one. Throws Error(kNotFound) when
  // there is none yet, Error(kConfig) when the options exclude each other, Error(kCorrupt) when the
  // weights are not of the run file's model; else as CheckpointStore does.
  Translator(const RunFile& run, const RunFolder& folder, const TranslateOptions& options);

  const std::string& checkpoint() const { return checkpoint_; }
  // The answers to each line, best first, as Answerer gives them. Throws Error(kData) naming the
  // line that is not valid UTF-8 or has control characters in it.
  std::vector<std::vector<Answer>> answer(std::span<const std::string> lines) const;

 private:
  AnswerSettings settings_;
  std::string checkpoint_;
  std::unique_ptr<Vocabulary> source_;
  std::unique_ptr<Vocabulary> target_;
  ChosenBackend device_;
  std::unique_ptr<SequenceModel> model_;
};

}  // namespace traind
