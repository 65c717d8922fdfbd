#include "model/train/answerer.h"

#include <algorithm>

#include "model/base/error.h"

namespace traind {
namespace {

constexpr std::size_t kRowsAtOnce = 64;

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

Search search_of(const DecodeSection& decode) {
  Search search;
  search.beam = decode.beam;
  search.length_alpha = static_cast<float>(decode.length_alpha);
  return search;
}

Answerer::Answerer(SequenceModel& model, const BatchEncoding& encoding,
                   const AnswerSettings& settings)
    : model_(model), encoding_(encoding), settings_(settings) {
  if (settings.search.temperature > 0 || settings.answers <= search().beam) return;
  throw Error(ErrorKind::kConfig, std::to_string(settings.answers) +
                                      " answers are not to be had from a beam of " +
                                      std::to_string(search().beam));
}

Search Answerer::search() const {
  Search search = settings_.search;
  search.beam = std::min(search.beam, model_.shape().target_words);
  search.best = search.temperature > 0 ? 1 : settings_.answers;
  return search;
}

std::vector<Decoded> Answerer::ask(const Batch& batch, const Search& search) const {
  const int steps = settings_.max_tokens > 0 ? settings_.max_tokens : most_steps(batch);
  return model_.decode({pair_of(batch).source, kBeginId, kEndId, steps, search});
}

std::vector<Decoded> Answerer::ask(const std::vector<Ids>& prompts, const Search& search) const {
  Ids lengths;
  for (const Ids& prompt : prompts) lengths.push_back(static_cast<std::int32_t>(prompt.size()));
  const int longest = *std::max_element(lengths.begin(), lengths.end());
  const int multiple = encoding_.step_multiple;
  const int steps = (longest + multiple - 1) / multiple * multiple;
  Ids ids(static_cast<std::size_t>(steps) * prompts.size(), kPadId);
  for (std::size_t b = 0; b < prompts.size(); ++b) {
    for (std::size_t t = 0; t < prompts[b].size(); ++t) ids[t * prompts.size() + b] = prompts[b][t];
  }
  const int further = settings_.max_tokens > 0 ? settings_.max_tokens : kMostContinued;
  return model_.decode({{ids, lengths, steps}, kBeginId, kEndId, further, search});
}

std::vector<Decoded> Answerer::ask(std::span<const std::string> lines, const Search& search) const {
  if (!language()) {
    std::vector<Example> examples;
    for (const std::string& line : lines) examples.push_back({line, ""});
    return ask(make_batch(examples, encoding_), search);
  }
  std::vector<Ids> prompts;
  for (const std::string& line : lines) {
    prompts.push_back(encoding_.target->encode(line));
    prompts.back().insert(prompts.back().begin(), kBeginId);
  }
  return ask(prompts, search);
}

std::vector<std::string> Answerer::answer(const Batch& batch) const {
  const Search search = this->search();
  const std::vector<Decoded> decoded = ask(batch, search);
  std::vector<std::string> answers;
  for (std::size_t i = 0; i < decoded.size(); i += static_cast<std::size_t>(search.best)) {
    answers.push_back(encoding_.target->decode(decoded[i].ids));
  }
  return answers;
}

std::vector<std::vector<Answer>> Answerer::answer(std::span<const std::string> lines) const {
  Search search = this->search();
  const bool drawn = search.temperature > 0;
  std::vector<std::vector<Answer>> answers(lines.size());
  // What is drawn several times stands in several rows: each draws for itself.
  std::vector<std::string> rows;
  std::vector<std::size_t> line_of;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty() && !language()) {
      answers[i].emplace_back();
      continue;
    }
    rows.insert(rows.end(), drawn ? static_cast<std::size_t>(settings_.answers) : 1, lines[i]);
    line_of.resize(rows.size(), i);
  }
  for (std::size_t begin = 0; begin < rows.size(); begin += kRowsAtOnce) {
    const std::size_t count = std::min(rows.size() - begin, kRowsAtOnce);
    const std::vector<Decoded> decoded = ask(std::span(rows).subspan(begin, count), search);
    const auto best = static_cast<std::size_t>(search.best);
    for (std::size_t k = 0; k < decoded.size(); ++k) {
      const Decoded& one = decoded[k];
      answers[line_of[begin + k / best]].push_back(
          {encoding_.target->decode(one.ids), one.score, one.log_probability, one.ended});
    }
    search.seed += std::uint64_t{1} << 32;  // the next rows have the same numbers
  }
  return answers;
}

std::string Answerer::go_on(std::span<const std::int32_t> tokens) const {
  Ids prompt = {kBeginId};
  prompt.insert(prompt.end(), tokens.begin(), tokens.end());
  return encoding_.target->decode(ask(std::vector<Ids>{prompt}, search()).at(0).ids);
}

}  // namespace traind
