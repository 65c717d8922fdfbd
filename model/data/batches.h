// Which examples make up which batch: a pure function of (corpus, seed, epoch).
//
// Examples are shuffled, sorted by length within windows of 64 batches so that little is padded,
// cut into batches, and the batches shuffled. BatchPlan is immutable; safe on any thread; it holds
// 8 bytes an example and nothing of the corpus.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/data/corpus.h"
#include "model/data/vocabulary.h"

namespace traind {

// Token ids of B examples, time-major: element (t, b) at t*B + b; padding is kPadId.
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

// Puts examples side by side; `examples` of the result stays empty. Nothing is cut: noise may make
// a source a few tokens longer than max_length, and S is then so much longer. S and T are padded to
// a multiple of `step_multiple` (DeviceInfo's), so that a device meets few different shapes.
Batch make_batch(std::span<const Example> examples, const Vocabulary& source,
                 const Vocabulary& target, int step_multiple = 1);

class BatchPlan {
 public:
  BatchPlan(const Corpus& corpus, std::uint64_t seed, int epoch, int batch_size);
  // Batches in the epoch; one may be smaller than batch_size, no example is left out.
  std::int64_t size() const;
  // Numbers of the examples in batch k, 0 <= k < size().
  std::span<const std::int64_t> examples(std::int64_t k) const;

 private:
  std::size_t batch_size_;
  std::vector<std::int64_t> order_;   // all examples, sorted by length within windows
  std::vector<std::int64_t> begins_;  // of each batch in order_, in the order of the batches
};

// Batch k of the plan, read from the corpus as it stands in `epoch`.
Batch load_batch(const Corpus& corpus, const BatchPlan& plan, std::int64_t k, int epoch,
                 const Vocabulary& source, const Vocabulary& target, int step_multiple = 1);

}  // namespace traind
