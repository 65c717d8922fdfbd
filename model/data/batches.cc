#include "model/data/batches.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "model/base/philox.h"

namespace traind {
namespace {

constexpr std::size_t kWindowBatches = 64;
constexpr std::size_t kBetweenSigns = 4096;

// Fisher and Yates. The corpus holds fewer than 2^32 examples (open_corpus).
template <typename Value>
void shuffle(std::vector<Value>& values, RandomStream& random) {
  for (std::size_t left = values.size(); left > 1; --left) {
    std::swap(values[left - 1], values[random.below(static_cast<std::uint32_t>(left))]);
  }
}

// Stable: examples of one length stay in the order they were in.
void sort_by_length(std::span<std::int64_t> numbers, const Corpus& corpus) {
  std::vector<std::pair<int, std::int64_t>> keyed;
  keyed.reserve(numbers.size());
  for (const std::int64_t number : numbers) keyed.emplace_back(corpus.train_length(number), number);
  std::stable_sort(keyed.begin(), keyed.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::transform(keyed.begin(), keyed.end(), numbers.begin(),
                 [](const auto& entry) { return entry.second; });
}

using Sequences = std::vector<std::vector<std::int32_t>>;

std::vector<std::int32_t> lengths_of(const Sequences& sequences) {
  std::vector<std::int32_t> lengths;
  lengths.reserve(sequences.size());
  for (const auto& sequence : sequences) {
    lengths.push_back(static_cast<std::int32_t>(sequence.size()));
  }
  return lengths;
}

int rounded_up(int steps, int multiple) { return (steps + multiple - 1) / multiple * multiple; }

// The longest of them, rounded up.
int steps_for(const std::vector<std::int32_t>& lengths, int multiple) {
  const int longest = lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
  return rounded_up(longest, multiple);
}

// Time-major, padded: [steps,B].
std::vector<std::int32_t> lay_out(const Sequences& sequences, int steps) {
  const std::size_t size = sequences.size();
  std::vector<std::int32_t> grid(static_cast<std::size_t>(steps) * size, kPadId);
  for (std::size_t b = 0; b < size; ++b) {
    for (std::size_t t = 0; t < sequences[b].size(); ++t) grid[t * size + b] = sequences[b][t];
  }
  return grid;
}

std::int64_t sum(const std::vector<std::int32_t>& lengths) {
  return std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0});
}

}  // namespace

std::int64_t Batch::source_tokens() const { return sum(source_lengths); }
std::int64_t Batch::target_tokens() const { return sum(target_lengths); }

Batch make_batch(std::span<const Example> examples, const BatchEncoding& encoding) {
  Sequences sources;
  Sequences begun;
  Sequences ended;
  for (const Example& example : examples) {
    if (encoding.source != nullptr) {
      sources.push_back(encoding.source->encode(example.source));
      if (sources.back().empty()) sources.back().push_back(kEndId);
    }
    ended.push_back(encoding.target->encode(example.target));
    begun.push_back(ended.back());
    begun.back().insert(begun.back().begin(), kBeginId);
    ended.back().push_back(kEndId);
  }
  Batch batch;
  batch.batch_size = static_cast<int>(examples.size());
  batch.source_lengths = lengths_of(sources);
  batch.target_lengths = lengths_of(ended);
  batch.source_steps = steps_for(batch.source_lengths, encoding.step_multiple);
  batch.target_steps = steps_for(batch.target_lengths, encoding.step_multiple);
  batch.source = lay_out(sources, batch.source_steps);
  batch.target_in = lay_out(begun, batch.target_steps);
  batch.target_out = lay_out(ended, batch.target_steps);
  return batch;
}

ExampleSteps steps_of(const Example& example, const BatchEncoding& encoding) {
  ExampleSteps steps;
  if (encoding.source != nullptr) {
    steps.source = std::max(1, static_cast<int>(encoding.source->encode(example.source).size()));
  }
  steps.target = static_cast<int>(encoding.target->encode(example.target).size()) + 1;
  return steps;
}

std::vector<std::size_t> cut_into_batches(std::span<const ExampleSteps> row, const BatchSize& size,
                                          int step_multiple) {
  std::vector<std::size_t> sizes;
  ExampleSteps longest;
  for (const ExampleSteps& steps : row) {
    const ExampleSteps with{std::max(longest.source, rounded_up(steps.source, step_multiple)),
                            std::max(longest.target, rounded_up(steps.target, step_multiple))};
    const std::size_t count = sizes.empty() ? 0 : sizes.back();
    const std::size_t tokens = (count + 1) * static_cast<std::size_t>(with.source + with.target);
    const bool full = size.tokens > 0 ? tokens > static_cast<std::size_t>(size.tokens)
                                      : count == static_cast<std::size_t>(size.examples);
    if (sizes.empty() || full) {
      sizes.push_back(1);
      longest = {rounded_up(steps.source, step_multiple), rounded_up(steps.target, step_multiple)};
    } else {
      ++sizes.back();
      longest = with;
    }
  }
  return sizes;
}

BatchPlan::BatchPlan(const Corpus& corpus, std::uint64_t seed, int epoch, int batch_size)
    : BatchPlan(corpus, seed, epoch, BatchSize{batch_size, 0}, BatchEncoding{}) {}

BatchPlan::BatchPlan(const Corpus& corpus, std::uint64_t seed, int epoch, const BatchSize& size,
                     const BatchEncoding& encoding, const std::function<void()>& on_progress)
    : order_(static_cast<std::size_t>(corpus.report().train_examples)) {
  RandomStream random(seed, RandomUse::kShuffle, static_cast<std::uint64_t>(epoch));
  std::iota(order_.begin(), order_.end(), std::int64_t{0});
  shuffle(order_, random);
  if (size.tokens > 0) {
    cut_by_tokens(corpus, epoch, size.tokens, encoding, on_progress);
  } else {
    cut_by_examples(corpus, static_cast<std::size_t>(size.examples));
  }
  shuffle(batches_, random);
}

void BatchPlan::cut_by_examples(const Corpus& corpus, std::size_t batch_size) {
  const std::size_t window = kWindowBatches * batch_size;
  for (std::size_t begin = 0; begin < order_.size(); begin += window) {
    sort_by_length(std::span(order_).subspan(begin, std::min(window, order_.size() - begin)),
                   corpus);
  }
  for (std::size_t begin = 0; begin < order_.size(); begin += batch_size) {
    batches_.push_back({begin, std::min(batch_size, order_.size() - begin)});
  }
}

void BatchPlan::cut_by_tokens(const Corpus& corpus, int epoch, int tokens,
                              const BatchEncoding& encoding,
                              const std::function<void()>& on_progress) {
  std::vector<ExampleSteps> steps(order_.size());  // by number
  std::size_t total = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (i % kBetweenSigns == 0 && on_progress) on_progress();
    steps[i] = steps_of(corpus.train(static_cast<std::int64_t>(i), epoch), encoding);
    total += static_cast<std::size_t>(steps[i].source + steps[i].target);
  }
  const std::size_t window =
      std::max<std::size_t>(1, kWindowBatches * static_cast<std::size_t>(tokens) * steps.size() /
                                   std::max<std::size_t>(1, total));
  const auto steps_at = [&](std::int64_t number) {
    return steps[static_cast<std::size_t>(number)];
  };
  std::vector<ExampleSteps> row;
  for (std::size_t begin = 0; begin < order_.size(); begin += window) {
    const auto part = std::span(order_).subspan(begin, std::min(window, order_.size() - begin));
    std::stable_sort(part.begin(), part.end(), [&](std::int64_t a, std::int64_t b) {
      return std::pair(steps_at(a).target, steps_at(a).source) <
             std::pair(steps_at(b).target, steps_at(b).source);
    });
    row.clear();
    for (const std::int64_t number : part) row.push_back(steps_at(number));
    std::size_t at = begin;
    for (const std::size_t size : cut_into_batches(row, {0, tokens}, encoding.step_multiple)) {
      batches_.push_back({at, size});
      at += size;
    }
  }
}

std::int64_t BatchPlan::size() const { return static_cast<std::int64_t>(batches_.size()); }

std::span<const std::int64_t> BatchPlan::examples(std::int64_t k) const {
  const Range& range = batches_[static_cast<std::size_t>(k)];
  return std::span(order_).subspan(range.begin, range.size);
}

Batch load_batch(const Corpus& corpus, const BatchPlan& plan, std::int64_t k, int epoch,
                 const BatchEncoding& encoding) {
  const std::span<const std::int64_t> numbers = plan.examples(k);
  std::vector<Example> examples;
  examples.reserve(numbers.size());
  for (const std::int64_t number : numbers) examples.push_back(corpus.train(number, epoch));
  Batch batch = make_batch(examples, encoding);
  batch.examples.assign(numbers.begin(), numbers.end());
  return batch;
}

}  // namespace traind
