#include "model/data/subword_file.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

namespace traind {
namespace {

// Of sentencepiece_model.proto.
constexpr std::uint64_t kNormalizer = 3;
constexpr std::uint64_t kDenormalizer = 5;
constexpr std::uint64_t kCharsmap = 2;

bool take_varint(std::string_view& bytes, std::uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes[0]);
    bytes.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// Shows the fields of a protobuf message that have a length. False when it is none.
bool each_field(std::string_view bytes,
                const std::function<bool(std::uint64_t, std::string_view)>& visit) {
  while (!bytes.empty()) {
    std::uint64_t key = 0;
    std::uint64_t size = 0;
    if (!take_varint(bytes, key)) return false;
    const std::uint64_t wire = key & 7;
    if (wire == 1 || wire == 5) {
      size = wire == 1 ? 8 : 4;
    } else if (wire == 2 || wire == 0) {
      if (!take_varint(bytes, size)) return false;
      if (wire == 0) size = 0;
    } else {
      return false;
    }
    if (size > bytes.size()) return false;
    if (wire == 2 && !visit(key >> 3, bytes.substr(0, size))) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

// The trie of a table, a double array of darts-clone: from a state, the byte b leads to the unit at
// state ^ b if that unit bears the label b, and from there on to that place ^ the unit's offset.
class TrieCheck {
 public:
  // `values`: below which number each value must be.
  TrieCheck(std::string_view bytes, std::size_t values)
      : units_(bytes.size() / sizeof(std::uint32_t)), values_(values), leaves_(units_.size()) {
    if (!units_.empty()) std::memcpy(units_.data(), bytes.data(), units_.size() * sizeof units_[0]);
    std::fill(leaves_.begin(), leaves_.end(), kNotSeen);
  }

  bool good() { return !units_.empty() && most_leaves(offset(units_[0]), 0) >= 0; }

 private:
  static constexpr int kNotSeen = -1;
  static constexpr int kFault = -2;
  static constexpr int kMostDepth = 256;  // bytes of a rule; far more than any has
  // What the library has room for: rules that are prefixes of one another.
  static constexpr int kMostLeaves = 32;

  static std::size_t offset(std::uint32_t unit) { return (unit >> 10) << ((unit & 0x200) >> 6); }

  // On the way from this state that has the most. A state on the way to itself is a fault.
  int most_leaves(std::size_t state, int depth) {  // NOLINT(misc-no-recursion)
    if ((state | 0xFF) >= units_.size() || depth > kMostDepth) return kFault;
    if (leaves_[state] != kNotSeen) return leaves_[state];
    leaves_[state] = kFault;
    int most = 0;
    for (std::uint32_t byte = 0; byte < 0x100; ++byte) {
      const std::size_t place = state ^ byte;
      const std::uint32_t unit = units_[place];
      if ((unit & 0x800000FF) != byte) continue;
      const std::size_t next = place ^ offset(unit);
      const bool leaf = (unit & 0x100) != 0;
      if (leaf && (next >= units_.size() || (units_[next] & 0x7FFFFFFF) >= values_)) return kFault;
      const int below = most_leaves(next, depth + 1);
      if (below == kFault) return kFault;
      most = std::max(most, below + (leaf ? 1 : 0));
    }
    if (most > kMostLeaves) return kFault;
    return leaves_[state] = most;
  }

  std::vector<std::uint32_t> units_;
  std::size_t values_;
  std::vector<int> leaves_;
};

// A table is the size of its trie, the trie, and the texts that its values point into.
bool is_good_table(std::string_view table) {
  if (table.empty()) return true;
  std::uint32_t size = 0;
  if (table.size() <= sizeof size) return false;
  std::memcpy(&size, table.data(), sizeof size);
  table.remove_prefix(sizeof size);
  if (size >= table.size()) return false;
  return TrieCheck(table.substr(0, size), table.size() - size).good();
}

}  // namespace

std::string fault_of_subword_file(std::string_view bytes) {
  bool good = true;
  const bool message = each_field(bytes, [&](std::uint64_t field, std::string_view part) {
    if (field != kNormalizer && field != kDenormalizer) return true;
    return each_field(part, [&](std::uint64_t inner, std::string_view table) {
      good = good && (inner != kCharsmap || is_good_table(table));
      return true;
    });
  });
  if (!message) return "it is not in sentencepiece's format";
  return good ? "" : "its table for normalising text is damaged";
}

}  // namespace traind
