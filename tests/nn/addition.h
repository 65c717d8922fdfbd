// Two-digit addition as a translation of characters: "27+64" to "91". Every ordered pair of 0..99,
// a tenth of them held out by a hash. Values; owned by the test.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "model/base/philox.h"
#include "model/nn/sequence_model.h"

namespace traind {

inline constexpr std::int32_t kAdditionBegin = 11;
inline constexpr std::int32_t kAdditionEnd = 12;
inline constexpr int kAdditionWords = 13;  // ten digits, the plus, two marks

struct Sum {
  std::vector<std::int32_t> question;
  std::vector<std::int32_t> answer;  // without marks
};

inline std::vector<std::int32_t> addition_ids(const std::string& text) {
  std::vector<std::int32_t> ids;
  for (const char c : text) ids.push_back(c == '+' ? 10 : c - '0');
  return ids;
}

struct Sums {
  std::vector<Sum> training;
  std::vector<Sum> held_out;
};

inline Sums all_sums() {
  Sums sums;
  for (std::uint64_t pair = 0; pair < 10000; ++pair) {
    const std::uint64_t a = pair / 100;
    const std::uint64_t b = pair % 100;
    RandomStream random(1, RandomUse::kSample, pair);
    (random.below(10) == 0 ? sums.held_out : sums.training)
        .push_back({addition_ids(std::to_string(a) + "+" + std::to_string(b)),
                    addition_ids(std::to_string(a + b))});
  }
  return sums;
}

// Sums side by side, with the marks that the decoder needs.
struct SumBatch {
  explicit SumBatch(const std::vector<const Sum*>& sums) : size(sums.size()) {
    for (const Sum* sum : sums) {
      source_lengths.push_back(static_cast<std::int32_t>(sum->question.size()));
      target_lengths.push_back(static_cast<std::int32_t>(sum->answer.size()) + 1);
    }
    source_steps = *std::max_element(source_lengths.begin(), source_lengths.end());
    target_steps = *std::max_element(target_lengths.begin(), target_lengths.end());
    source.assign(static_cast<std::size_t>(source_steps) * size, 0);
    target_in.assign(static_cast<std::size_t>(target_steps) * size, kAdditionBegin);
    target_out.assign(target_in.size(), kAdditionEnd);
    for (std::size_t b = 0; b < size; ++b) {
      for (std::size_t t = 0; t < sums[b]->question.size(); ++t) {
        source[t * size + b] = sums[b]->question[t];
      }
      for (std::size_t t = 0; t < sums[b]->answer.size(); ++t) {
        target_out[t * size + b] = sums[b]->answer[t];
        target_in[(t + 1) * size + b] = sums[b]->answer[t];
      }
    }
  }

  SequencePair pair() const {
    return {{source, source_lengths, source_steps},
            {target_in, target_lengths, target_steps},
            {target_out, target_lengths, target_steps}};
  }

  std::size_t size = 0;
  int source_steps = 0;
  int target_steps = 0;
  std::vector<std::int32_t> source;
  std::vector<std::int32_t> source_lengths;
  std::vector<std::int32_t> target_in;
  std::vector<std::int32_t> target_out;
  std::vector<std::int32_t> target_lengths;
};

}  // namespace traind
