#include "model/train/answerer.h"

#include <algorithm>

namespace traind {
namespace {

constexpr std::size_t kLinesAtOnce = 64;

// An answer may be longer than its source, but not without end: a model that has not learnt to
// stop would otherwise hold up every validation. Of the true lengths: padding decides nothing.
int most_steps(const Batch& batch) {
  return 2 * *std::max_element(batch.source_lengths.begin(), batch.source_lengths.end()) + 10;
}

}  // namespace

SequencePair pair_of(const Batch& batch) {
  SequencePair pair;
  pair.source = {batch.source, batch.source_lengths, batch.source_steps};
  pair.target_in = {batch.target_in, batch.target_lengths, batch.target_steps};
  pair.target_out = {batch.target_out, batch.target_lengths, batch.target_steps};
  return pair;
}

std::vector<std::string> Answerer::answer(const Batch& batch) const {
  std::vector<std::string> answers;
  for (const Decoded& decoded :
       model_.decode({pair_of(batch).source, kBeginId, kEndId, most_steps(batch)})) {
    answers.push_back(target_.decode(decoded.ids));
  }
  return answers;
}

std::vector<std::string> Answerer::answer(std::span<const std::string> lines) const {
  std::vector<std::string> answers(lines.size());
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].empty()) asked.push_back(i);
  }
  for (std::size_t begin = 0; begin < asked.size(); begin += kLinesAtOnce) {
    const std::size_t end = std::min(asked.size(), begin + kLinesAtOnce);
    std::vector<Example> examples;
    for (std::size_t i = begin; i < end; ++i) examples.push_back({lines[asked[i]], ""});
    const std::vector<std::string> part =
        answer(make_batch(examples, source_, target_, model_.device().step_multiple));
    for (std::size_t i = begin; i < end; ++i) answers[asked[i]] = part[i - begin];
  }
  return answers;
}

}  // namespace traind
