// Answers from a model in words: text in, text out. The one way to an answer, for validation,
// samples and `translate` alike.
//
// Owned by the thread that owns the model. The model and the vocabularies must outlive it. An
// encoder-decoder translates; a language model goes on with what it is given.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/data/batches.h"
#include "model/data/vocabulary.h"
#include "model/nn/sequence_model.h"
#include "model/train/run_file.h"

namespace traind {

// The batch as the model wants it; valid as long as the batch.
SequencePair pair_of(const Batch& batch);

// How the run file says that answers are looked for.
Search search_of(const DecodeSection& decode);

struct Answer {
  std::string text;
  double score = 0;            // what answers are ordered by: Search says how it is made
  double log_probability = 0;  // of its tokens and, where it came to an end, of the end mark
  bool ended = true;           // false: cut off at the most tokens
};

struct AnswerSettings {
  Search search;    // `best` is not looked at; a beam wider than the vocabulary is narrowed to it
  int answers = 1;  // to a line: the best of the beam or, with a temperature, so many draws
  int max_tokens = 0;  // 0 = kMostContinued, or for an encoder-decoder 2 * source + 10
};
inline constexpr int kMostContinued = 200;

class Answerer {
 public:
  // Throws Error(kConfig) when more answers are asked for than there are hypotheses.
  Answerer(SequenceModel& model, const BatchEncoding& encoding, const AnswerSettings& settings);

  // The best answer to each example of the batch, in its order. Not for a language model.
  std::vector<std::string> answer(const Batch& batch) const;
  // The answers to each line, best first; any number of lines, which must be valid UTF-8. To an
  // encoder-decoder an empty line is its own only answer.
  std::vector<std::vector<Answer>> answer(std::span<const std::string> lines) const;
  // How a language model goes on after these tokens, which may be none. Without them.
  std::string go_on(std::span<const std::int32_t> tokens) const;

 private:
  using Ids = std::vector<std::int32_t>;

  bool language() const { return model_.shape().kind == ModelKind::kLanguage; }
  Search search() const;
  std::vector<Decoded> ask(const Batch& batch, const Search& search) const;
  std::vector<Decoded> ask(const std::vector<Ids>& prompts, const Search& search) const;
  // One chunk of lines, each as often as `search` has it; [lines * search.best].
  std::vector<Decoded> ask(std::span<const std::string> lines, const Search& search) const;

  SequenceModel& model_;
  const BatchEncoding encoding_;
  const AnswerSettings settings_;
};

}  // namespace traind
