#include "model/data/batches.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "model/base/philox.h"

namespace traind {
namespace {

constexpr std::size_t kWindowBatches = 64;

// Fisher and Yates. The corpus holds fewer than 2^32 examples (open_corpus).
void shuffle(std::vector<std::int64_t>& values, RandomStream& random) {
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

// The longest of them, rounded up.
int steps_for(const std::vector<std::int32_t>& lengths, int multiple) {
  const int longest = lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
  return (longest + multiple - 1) / multiple * multiple;
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

Batch make_batch(std::span<const Example> examples, const Vocabulary& source,
                 const Vocabulary& target, int step_multiple) {
  Sequences sources;
  Sequences begun;
  Sequences ended;
  for (const Example& example : examples) {
    sources.push_back(source.encode(example.source));
    if (sources.back().empty()) sources.back().push_back(kEndId);
    ended.push_back(target.encode(example.target));
    begun.push_back(ended.back());
    begun.back().insert(begun.back().begin(), kBeginId);
    ended.back().push_back(kEndId);
  }
  Batch batch;
  batch.batch_size = static_cast<int>(examples.size());
  batch.source_lengths = lengths_of(sources);
  batch.target_lengths = lengths_of(ended);
  batch.source_steps = steps_for(batch.source_lengths, step_multiple);
  batch.target_steps = steps_for(batch.target_lengths, step_multiple);
  batch.source = lay_out(sources, batch.source_steps);
  batch.target_in = lay_out(begun, batch.target_steps);
  batch.target_out = lay_out(ended, batch.target_steps);
  return batch;
}

BatchPlan::BatchPlan(const Corpus& corpus, std::uint64_t seed, int epoch, int batch_size)
    : batch_size_(static_cast<std::size_t>(batch_size)),
      order_(static_cast<std::size_t>(corpus.report().train_examples)) {
  RandomStream random(seed, RandomUse::kShuffle, static_cast<std::uint64_t>(epoch));
  std::iota(order_.begin(), order_.end(), std::int64_t{0});
  shuffle(order_, random);
  const std::size_t window = kWindowBatches * batch_size_;
  for (std::size_t begin = 0; begin < order_.size(); begin += window) {
    sort_by_length(std::span(order_).subspan(begin, std::min(window, order_.size() - begin)),
                   corpus);
  }
  for (std::size_t begin = 0; begin < order_.size(); begin += batch_size_) {
    begins_.push_back(static_cast<std::int64_t>(begin));
  }
  shuffle(begins_, random);
}

std::int64_t BatchPlan::size() const { return static_cast<std::int64_t>(begins_.size()); }

std::span<const std::int64_t> BatchPlan::examples(std::int64_t k) const {
  const auto begin = static_cast<std::size_t>(begins_[static_cast<std::size_t>(k)]);
  return std::span(order_).subspan(begin, std::min(batch_size_, order_.size() - begin));
}

Batch load_batch(const Corpus& corpus, const BatchPlan& plan, std::int64_t k, int epoch,
                 const Vocabulary& source, const Vocabulary& target, int step_multiple) {
  const std::span<const std::int64_t> numbers = plan.examples(k);
  std::vector<Example> examples;
  examples.reserve(numbers.size());
  for (const std::int64_t number : numbers) examples.push_back(corpus.train(number, epoch));
  Batch batch = make_batch(examples, source, target, step_multiple);
  batch.examples.assign(numbers.begin(), numbers.end());
  return batch;
}

}  // namespace traind
