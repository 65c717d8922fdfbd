// Which examples make up which batch: a pure function of (corpus, seed, epoch).
//
// Examples are shuffled, sorted by length within windows of 64 batches so that little is padded,
// cut into batches, and the batches shuffled. BatchPlan is immutable; safe on any thread; it holds
// 8 bytes an example and 16 a batch, and nothing of the corpus.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "model/data/corpus.h"
#include "model/data/vocabulary.h"

namespace traind {

// Token ids of B examples, time-major: element (t, b) at t*B + b; padding is kPadId. For a language
// model, whose examples have no source, S is 0 and what is said of sources is empty.
struct Batch {
  int batch_size = 0;                        // B
  int source_steps = 0;                      // S, the longest source, rounded up
  int target_steps = 0;                      // T, the longest target with its end mark, likewise
  std::vector<std::int32_t> source;          // [S,B]; an empty source is one kEndId
  std::vector<std::int32_t> source_lengths;  // [B], at least 1
  std::vector<std::int32_t> target_in;       // [T,B]; kBeginId, then the target
  std::vector<std::int32_t> target_out;      // [T,B]; the target, then kEndId
  std::vector<std::int32_t> target_lengths;  // [B], at least 1, the end mark counted
  std::vector<std::int64_t> examples;        // [B] their numbers in the corpus
  std::int64_t source_tokens() const;        // sum of lengths
  std::int64_t target_tokens() const;
};

// How examples become token ids. The vocabularies must outlive whoever keeps this.
struct BatchEncoding {
  const Vocabulary* source = nullptr;  // null: sources are left out, as a language model wants it
  const Vocabulary* target = nullptr;
  int step_multiple = 1;  // S and T are rounded up to it (DeviceInfo's), for few different shapes
};

// Puts examples side by side; `examples` of the result stays empty. Nothing is cut: noise may make
// a source a few tokens longer than max_length, and S is then so much longer.
Batch make_batch(std::span<const Example> examples, const BatchEncoding& encoding);
inline Batch make_batch(std::span<const Example> examples, const Vocabulary& source,
                        const Vocabulary& target, int step_multiple = 1) {
  return make_batch(examples, BatchEncoding{&source, &target, step_multiple});
}

// How many examples make a batch.
struct BatchSize {
  int examples = 128;
  // Above 0, in place of `examples`: as many as have at most so many tokens, counted as
  // B * (S + T), so with padding. An example that has more is a batch of its own.
  int tokens = 0;
  bool operator==(const BatchSize&) const = default;
};

class BatchPlan {
 public:
  BatchPlan(const Corpus& corpus, std::uint64_t seed, int epoch, int batch_size);
  // The same where `size` counts examples. Where it counts tokens, every example is read and
  // encoded once, with its noise: only so is the limit certain. That takes as long as making the
  // batches, and `on_progress` (may be empty) is called every few thousand examples.
  BatchPlan(const Corpus& corpus, std::uint64_t seed, int epoch, const BatchSize& size,
            const BatchEncoding& encoding, const std::function<void()>& on_progress = {});
  // Batches in the epoch. Of so many examples, one may be smaller; of so many tokens, the last one
  // of each window. No example is left out.
  std::int64_t size() const;
  // Numbers of the examples in batch k, 0 <= k < size().
  std::span<const std::int64_t> examples(std::int64_t k) const;

 private:
  struct Range {
    std::size_t begin;  // in order_
    std::size_t size;
  };
  void cut_by_examples(const Corpus& corpus, std::size_t batch_size);
  void cut_by_tokens(const Corpus& corpus, int epoch, int tokens, const BatchEncoding& encoding,
                     const std::function<void()>& on_progress);

  std::vector<std::int64_t> order_;  // all examples, sorted by length within windows
  std::vector<Range> batches_;       // in their order
};

// Batch k of the plan, read from the corpus as it stands in `epoch`.
Batch load_batch(const Corpus& corpus, const BatchPlan& plan, std::int64_t k, int epoch,
                 const BatchEncoding& encoding);
inline Batch load_batch(const Corpus& corpus, const BatchPlan& plan, std::int64_t k, int epoch,
                        const Vocabulary& source, const Vocabulary& target, int step_multiple = 1) {
  return load_batch(corpus, plan, k, epoch, BatchEncoding{&source, &target, step_multiple});
}

// Steps of an example with the given lengths: what it is padded by beside longer ones.
struct ExampleSteps {
  int source = 0;  // as in Batch: at least 1 where there are sources, else 0
  int target = 1;  // the end mark counted
  bool operator==(const ExampleSteps&) const = default;
};
ExampleSteps steps_of(const Example& example, const BatchEncoding& encoding);

// Cuts a row of examples, in its order, into batches of the given size: the size of each.
std::vector<std::size_t> cut_into_batches(std::span<const ExampleSteps> row, const BatchSize& size,
                                          int step_multiple);

}  // namespace traind
