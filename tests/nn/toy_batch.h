// Small ragged batches for the tests of the model: ids drawn from a seed, lengths of every kind.
// Values; owned by the test.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "model/base/philox.h"
#include "model/nn/sequence_model.h"

namespace traind {

struct ToyBatch {
  int source_steps = 0;
  int target_steps = 0;
  std::vector<std::int32_t> source;          // [S,B]
  std::vector<std::int32_t> source_lengths;  // [B]
  std::vector<std::int32_t> target_in;       // [T,B]
  std::vector<std::int32_t> target_out;      // [T,B]
  std::vector<std::int32_t> target_lengths;  // [B]

  std::int64_t target_tokens() const {
    return std::accumulate(target_lengths.begin(), target_lengths.end(), std::int64_t{0});
  }

  SequencePair pair() const {
    return {{source, source_lengths, source_steps},
            {target_in, target_lengths, target_steps},
            {target_out, target_lengths, target_steps}};
  }
};

struct ToySize {
  int batch = 4;
  int source_steps = 5;
  int target_steps = 4;
};

// The first sentence has full length and the second has one token; the others are in between.
// Padding holds ids too, so that a model that reads it is found out. A language model's source is a
// prompt for decode(), in the target's words.
inline ToyBatch toy_batch(const ModelShape& shape, const ToySize& size, std::uint64_t seed) {
  RandomStream random(seed, RandomUse::kSample);
  const auto ids = [&](int steps, int words) {
    std::vector<std::int32_t> drawn(static_cast<std::size_t>(steps) *
                                    static_cast<std::size_t>(size.batch));
    for (auto& id : drawn) {
      id = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(words)));
    }
    return drawn;
  };
  const auto lengths = [&](int steps) {
    std::vector<std::int32_t> drawn(static_cast<std::size_t>(size.batch), 1);
    drawn[0] = steps;
    for (std::size_t b = 2; b < drawn.size(); ++b) {
      drawn[b] = 1 + static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(steps)));
    }
    return drawn;
  };
  ToyBatch batch;
  batch.source_steps = size.source_steps;
  batch.target_steps = size.target_steps;
  const bool language = shape.kind == ModelKind::kLanguage;
  batch.source = ids(size.source_steps, language ? shape.target_words : shape.source_words);
  batch.target_in = ids(size.target_steps, shape.target_words);
  batch.target_out = ids(size.target_steps, shape.target_words);
  batch.source_lengths = lengths(size.source_steps);
  batch.target_lengths = lengths(size.target_steps);
  // Long answers to short questions and the other way round.
  std::reverse(batch.target_lengths.begin(), batch.target_lengths.end());
  return batch;
}

}  // namespace traind
