// Which places of a batch hold which token, as the kernels that sum embedding gradients want it:
// places of equal tokens side by side, cut into pieces of at most kLongest. Host side; pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace traind::cuda {

struct TokenPieces {
  static constexpr int kLongest = 32;  // places one thread adds up, one after the other

  std::vector<std::int32_t> places;  // t*B + b of every true step, equal tokens side by side
  std::vector<std::int32_t> starts;  // [pieces+1] into places
  std::vector<std::int32_t> firsts;  // [words+1] into pieces
  std::vector<std::int32_t> ids;     // [words] tokens that occur, ascending
  int pieces() const { return static_cast<int>(starts.size()) - 1; }
  int words() const { return static_cast<int>(ids.size()); }
};

// For ids [T,B] below `words`; places past a sentence's length are left out.
TokenPieces token_pieces(std::span<const std::int32_t> ids, std::span<const std::int32_t> lengths,
                         int words);

// Bounds on both counts for any ids [T,B], so that a launch can have one size for all of them.
int most_words(std::size_t places, int words);
int most_pieces(std::size_t places, int words);

}  // namespace traind::cuda
