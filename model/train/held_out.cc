#include "model/train/held_out.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "model/base/philox.h"
#include "model/train/answerer.h"
#include "model/train/scores.h"

namespace traind {
namespace {

// Of a held-out line a language model is given so many tokens, or half of a short line.
constexpr std::size_t kPromptTokens = 12;

std::int64_t size_of(const std::vector<std::vector<std::int64_t>>& batches) {
  std::int64_t count = 0;
  for (const auto& batch : batches) count += static_cast<std::int64_t>(batch.size());
  return count;
}

}  // namespace

HeldOut::HeldOut(const Corpus& corpus, const BatchEncoding& encoding, const BatchSize& size,
                 const DecodeSection& decode)
    : corpus_(corpus), encoding_(encoding), size_(size), decode_(decode) {
  Numbers row(static_cast<std::size_t>(corpus.report().valid_examples));
  std::iota(row.begin(), row.end(), 0);
  first_ = batch_of(batches_of(row).at(0));
  // Neighbours of one length waste no steps on padding; the sums do not depend on the order of
  // examples in a way that changes between runs, since the order is always this one.
  std::vector<std::size_t> length(row.size());
  for (const std::int64_t number : row) {
    length[static_cast<std::size_t>(number)] = corpus.valid(number).target.size();
  }
  std::stable_sort(row.begin(), row.end(), [&](std::int64_t a, std::int64_t b) {
    return length[static_cast<std::size_t>(a)] < length[static_cast<std::size_t>(b)];
  });
  batches_ = batches_of(row);
}

std::vector<HeldOut::Numbers> HeldOut::batches_of(const Numbers& row) const {
  std::vector<ExampleSteps> steps(row.size());
  if (size_.tokens > 0) {
    std::ranges::transform(row, steps.begin(), [this](std::int64_t number) {
      return steps_of(corpus_.valid(number), encoding_);
    });
  }
  std::vector<Numbers> batches;
  auto at = row.begin();
  for (const std::size_t size : cut_into_batches(steps, size_, encoding_.step_multiple)) {
    batches.emplace_back(at, at + static_cast<std::ptrdiff_t>(size));
    at += static_cast<std::ptrdiff_t>(size);
  }
  return batches;
}

Batch HeldOut::batch_of(const Numbers& numbers) const {
  std::vector<Example> examples;
  examples.reserve(numbers.size());
  for (const std::int64_t number : numbers) examples.push_back(corpus_.valid(number));
  return make_batch(examples, encoding_);
}

double HeldOut::first_batch_loss(SequenceModel& model) const {
  const LossSum sum = model.evaluate(pair_of(first_));
  return sum.loss / static_cast<double>(sum.tokens);
}

HeldOut::Numbers HeldOut::choose_samples(std::uint64_t seed, int epoch, int count) const {
  RandomStream random(seed, RandomUse::kSample, static_cast<std::uint64_t>(epoch));
  Numbers chosen;
  const std::int64_t all = size_of(batches_);
  const auto wanted = static_cast<std::size_t>(std::min<std::int64_t>(count, all));
  // A corrupted line shows more than a clean one, and of a word with several pronunciations one
  // example speaks for all; after some tries any line will do.
  for (int tries = 0; chosen.size() < wanted; ++tries) {
    const std::int64_t number = random.below(static_cast<std::uint32_t>(all));
    if (std::find(chosen.begin(), chosen.end(), number) != chosen.end()) continue;
    const Example example = corpus_.valid(number);
    const bool telling = example.source != example.target && !corpus_.references(number).empty();
    if (telling || tries > 100) chosen.push_back(number);
  }
  return chosen;
}

Sample HeldOut::continued(SequenceModel& model, const std::string& line) const {
  const std::vector<std::int32_t> ids = encoding_.target->encode(line);
  const std::size_t given = std::min(kPromptTokens, ids.size() / 2);
  const auto middle = ids.begin() + static_cast<std::ptrdiff_t>(given);
  AnswerSettings settings{search_of(decode_)};
  settings.max_tokens = 2 * static_cast<int>(ids.size()) + 10;
  Sample sample;
  sample.source = encoding_.target->decode({ids.begin(), middle});
  sample.target = encoding_.target->decode({middle, ids.end()});
  sample.output = Answerer(model, encoding_, settings).go_on(std::span(ids).first(given));
  return sample;
}

void HeldOut::score(SequenceModel& model, const Numbers& numbers, const Batch& batch,
                    ScoreSum& scores, std::map<std::int64_t, Sample>& samples) const {
  const std::vector<std::string> answers =
      Answerer(model, encoding_, {search_of(decode_)}).answer(batch);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const Example example = corpus_.valid(numbers[i]);
    const std::vector<std::string> references = corpus_.references(numbers[i]);
    if (!references.empty()) scores.add(example.source, references, answers[i]);
    const auto sample = samples.find(numbers[i]);
    if (sample == samples.end()) continue;
    const bool right = std::ranges::find(references, answers[i]) != references.end();
    sample->second = {example.source, right ? answers[i] : example.target, answers[i]};
  }
}

std::optional<Validation> HeldOut::validate(SequenceModel& model, std::uint64_t seed, int epoch,
                                            int samples, const std::function<bool()>& go_on) const {
  const Numbers shown = choose_samples(seed, epoch, samples);
  std::map<std::int64_t, Sample> answered;
  for (const std::int64_t number : shown) answered[number] = {};
  LossSum sum;
  ScoreSum scores;
  for (const Numbers& numbers : batches_) {
    const Batch batch = batch_of(numbers);
    const LossSum part = model.evaluate(pair_of(batch));
    sum.loss += part.loss;
    sum.tokens += part.tokens;
    if (!language()) score(model, numbers, batch, scores, answered);
    if (!go_on()) return std::nullopt;
  }
  Validation validation;
  validation.loss = sum.loss / static_cast<double>(sum.tokens);
  validation.scores = scores.scores();
  for (const std::int64_t number : shown) {
    validation.samples.push_back(language() ? continued(model, corpus_.valid(number).target)
                                            : answered[number]);
  }
  return validation;
}

}  // namespace traind
