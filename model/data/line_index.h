// Where examples stand in their file: 8 bytes an example, 16 where there are two files.
//
// Holds the line's offset and, packed beside it, the number of tokens of the target, so that
// sorting by length reads no file. Grows in blocks: no copy while it grows. One thread may change
// it; any may read it afterwards.
#pragma once

#include <cstdint>
#include <deque>
#include <span>

namespace traind {

class LineIndex {
 public:
  explicit LineIndex(bool has_two_files) : has_two_files_(has_two_files) {}

  // Offsets below 2^48.
  void add(std::uint64_t source_at, std::uint64_t target_at, std::int64_t target_tokens);
  std::int64_t size() const { return static_cast<std::int64_t>(targets_.size()); }

  std::uint64_t source_at(std::int64_t i) const;
  std::uint64_t target_at(std::int64_t i) const { return entry(i) & kOffsetMask; }
  // kManyTokens or more are all kManyTokens.
  std::int64_t target_tokens(std::int64_t i) const {
    return static_cast<std::int64_t>(entry(i) >> kOffsetBits);
  }
  static constexpr std::int64_t kManyTokens = 0xFFFF;

  // Takes out the examples with these numbers, ascending, and returns them. Order stays.
  LineIndex take_out(std::span<const std::int64_t> numbers);

 private:
  static constexpr int kOffsetBits = 48;
  static constexpr std::uint64_t kOffsetMask = (std::uint64_t{1} << kOffsetBits) - 1;

  std::uint64_t entry(std::int64_t i) const { return targets_[static_cast<std::size_t>(i)]; }

  bool has_two_files_;
  std::deque<std::uint64_t> targets_;  // tokens << 48 | offset
  std::deque<std::uint64_t> sources_;  // offsets; empty where one line holds both sides
};

}  // namespace traind
