#include "model/backend/cuda/token_pieces.h"

#include <algorithm>

namespace traind::cuda {

TokenPieces token_pieces(std::span<const std::int32_t> ids, std::span<const std::int32_t> lengths,
                         int words) {
  const std::size_t batch = lengths.size();
  const auto active = [&](std::size_t place) {
    return static_cast<std::int32_t>(place / batch) < lengths[place % batch];
  };
  // A counting sort: `ends` first counts, then holds where the next place of a word goes.
  std::vector<std::int32_t> ends(static_cast<std::size_t>(words) + 1, 0);
  for (std::size_t place = 0; place < ids.size(); ++place) {
    if (active(place)) ++ends[static_cast<std::size_t>(ids[place]) + 1];
  }
  TokenPieces result;
  for (int word = 0; word < words; ++word) {
    const std::int32_t begin = ends[static_cast<std::size_t>(word)];
    const std::int32_t count = ends[static_cast<std::size_t>(word) + 1];
    ends[static_cast<std::size_t>(word) + 1] += begin;
    if (count == 0) continue;
    result.ids.push_back(word);
    result.firsts.push_back(static_cast<std::int32_t>(result.starts.size()));
    for (std::int32_t at = 0; at < count; at += TokenPieces::kLongest) {
      result.starts.push_back(begin + at);
    }
  }
  result.firsts.push_back(static_cast<std::int32_t>(result.starts.size()));
  result.starts.push_back(ends.back());
  result.places.resize(static_cast<std::size_t>(ends.back()));
  for (std::size_t place = 0; place < ids.size(); ++place) {
    if (!active(place)) continue;
    std::int32_t& next = ends[static_cast<std::size_t>(ids[place])];
    result.places[static_cast<std::size_t>(next++)] = static_cast<std::int32_t>(place);
  }
  return result;
}

int most_words(std::size_t places, int words) {
  return static_cast<int>(std::min(places, static_cast<std::size_t>(words)));
}

int most_pieces(std::size_t places, int words) {
  return most_words(places, words) + static_cast<int>(places / TokenPieces::kLongest);
}

}  // namespace traind::cuda
