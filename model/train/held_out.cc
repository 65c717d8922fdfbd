#include "model/train/held_out.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "model/base/philox.h"
#include "model/train/answerer.h"
#include "model/train/scores.h"

namespace traind {

HeldOut::HeldOut(const Corpus& corpus, const Vocabulary& source, const Vocabulary& target,
                 int batch_size, int step_multiple)
    : corpus_(corpus),
      source_(source),
      target_(target),
      batch_size_(batch_size),
      step_multiple_(step_multiple) {
  const std::int64_t count = corpus.report().valid_examples;
  order_.resize(static_cast<std::size_t>(count));
  std::iota(order_.begin(), order_.end(), 0);
  first_ = batch_of({order_.begin(), order_.begin() + std::min<std::int64_t>(count, batch_size)});
  // Neighbours of one length waste no steps on padding; the sums do not depend on the order of
  // examples in a way that changes between runs, since the order is always this one.
  std::vector<std::size_t> length(order_.size());
  for (const std::int64_t number : order_) {
    length[static_cast<std::size_t>(number)] = corpus.valid(number).target.size();
  }
  std::stable_sort(order_.begin(), order_.end(), [&](std::int64_t a, std::int64_t b) {
    return length[static_cast<std::size_t>(a)] < length[static_cast<std::size_t>(b)];
  });
}

Batch HeldOut::batch_of(const std::vector<std::int64_t>& numbers) const {
  std::vector<Example> examples;
  examples.reserve(numbers.size());
  for (const std::int64_t number : numbers) examples.push_back(corpus_.valid(number));
  return make_batch(examples, source_, target_, step_multiple_);
}

double HeldOut::first_batch_loss(SequenceModel& model) const {
  const LossSum sum = model.evaluate(pair_of(first_));
  return sum.loss / static_cast<double>(sum.tokens);
}

std::vector<std::int64_t> HeldOut::choose_samples(std::uint64_t seed, int epoch, int count) const {
  RandomStream random(seed, RandomUse::kSample, static_cast<std::uint64_t>(epoch));
  std::vector<std::int64_t> chosen;
  const std::size_t wanted = std::min(static_cast<std::size_t>(count), order_.size());
  // A corrupted line shows more than a clean one; after some tries any line will do.
  for (int tries = 0; chosen.size() < wanted; ++tries) {
    const std::int64_t number = random.below(static_cast<std::uint32_t>(order_.size()));
    if (std::find(chosen.begin(), chosen.end(), number) != chosen.end()) continue;
    const Example example = corpus_.valid(number);
    if (example.source != example.target || tries > 100) chosen.push_back(number);
  }
  return chosen;
}

std::optional<Validation> HeldOut::validate(SequenceModel& model, std::uint64_t seed, int epoch,
                                            int samples, const std::function<bool()>& go_on) const {
  const Answerer answerer(model, source_, target_);
  const std::vector<std::int64_t> shown = choose_samples(seed, epoch, samples);
  std::map<std::int64_t, Sample> sample_of;
  LossSum sum;
  ScoreSum scores;
  for (std::size_t begin = 0; begin < order_.size();) {
    const std::size_t end = std::min(order_.size(), begin + static_cast<std::size_t>(batch_size_));
    const auto at = [this](std::size_t i) {
      return order_.begin() + static_cast<std::ptrdiff_t>(i);
    };
    const std::vector<std::int64_t> numbers(at(begin), at(end));
    const Batch batch = batch_of(numbers);
    const LossSum part = model.evaluate(pair_of(batch));
    sum.loss += part.loss;
    sum.tokens += part.tokens;
    const std::vector<std::string> answers = answerer.answer(batch);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const Example example = corpus_.valid(numbers[i]);
      scores.add(example.source, example.target, answers[i]);
      if (std::find(shown.begin(), shown.end(), numbers[i]) != shown.end()) {
        sample_of[numbers[i]] = {example.source, example.target, answers[i]};
      }
    }
    if (!go_on()) return std::nullopt;
    begin = end;
  }
  Validation validation;
  validation.loss = sum.loss / static_cast<double>(sum.tokens);
  validation.scores = scores.scores();
  for (const std::int64_t number : shown) validation.samples.push_back(sample_of[number]);
  return validation;
}

}  // namespace traind
