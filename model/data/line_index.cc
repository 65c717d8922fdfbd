#include "model/data/line_index.h"

#include <algorithm>
#include <utility>

namespace traind {

void LineIndex::add(std::uint64_t source_at, std::uint64_t target_at, std::int64_t target_tokens) {
  const auto tokens = static_cast<std::uint64_t>(std::min(target_tokens, kManyTokens));
  targets_.push_back(tokens << kOffsetBits | target_at);
  if (has_two_files_) sources_.push_back(source_at);
}

std::uint64_t LineIndex::source_at(std::int64_t i) const {
  return has_two_files_ ? sources_[static_cast<std::size_t>(i)] : target_at(i);
}

LineIndex LineIndex::take_out(std::span<const std::int64_t> numbers) {
  LineIndex taken(has_two_files_);
  const auto take = [numbers](std::deque<std::uint64_t>& from, std::deque<std::uint64_t>& to) {
    std::size_t kept = 0;
    std::size_t k = 0;
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (k < numbers.size() && static_cast<std::size_t>(numbers[k]) == i) {
        to.push_back(from[i]);
        ++k;
      } else {
        from[kept++] = from[i];
      }
    }
    from.resize(kept);
  };
  take(targets_, taken.targets_);
  if (has_two_files_) take(sources_, taken.sources_);
  return taken;
}

}  // namespace traind
