// A value for each Unicode code point, in memory for the blocks of 256 that are in use: an emoji
// costs a block, and not a table of all that comes before it.
//
// A plain value, as std::vector is one.
#pragma once

#include <cstddef>
#include <vector>

namespace traind {

template <class T>
class CodePointTable {
 public:
  // `absent` is the value of all that was never set.
  explicit CodePointTable(T absent) : absent_(absent) {}

  // Valid until the next call of it.
  T& operator[](char32_t point) {
    const std::size_t block = point / kBlock;
    if (block >= blocks_.size()) blocks_.resize(block + 1);
    if (blocks_[block].empty()) blocks_[block].assign(kBlock, absent_);
    return blocks_[block][point % kBlock];
  }
  T at(char32_t point) const {
    const std::size_t block = point / kBlock;
    const bool there = block < blocks_.size() && !blocks_[block].empty();
    return there ? blocks_[block][point % kBlock] : absent_;
  }
  // visit(code point, value) of all that are in memory, in order.
  template <class Visit>
  void each(Visit visit) const {
    for (std::size_t block = 0; block < blocks_.size(); ++block) {
      for (std::size_t i = 0; i < blocks_[block].size(); ++i) {
        visit(static_cast<char32_t>(block * kBlock + i), blocks_[block][i]);
      }
    }
  }

 private:
  static constexpr std::size_t kBlock = 256;
  T absent_;
  std::vector<std::vector<T>> blocks_;  // empty, or all of a block
};

}  // namespace traind
