// XXH64 (xxHash specification 0.1.1): the checksum of tensors and headers, and the digest by which
// two sets of weights are compared. Detects damage; it is no defence against a forger.
// Values; safe on any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace traind {

class Xxh64 {
 public:
  explicit Xxh64(std::uint64_t seed = 0) noexcept;
  void update(const void* data, std::size_t bytes) noexcept;
  // Of everything given so far; update() may go on afterwards.
  std::uint64_t digest() const noexcept;

 private:
  std::uint64_t lane_[4];
  std::uint64_t seed_;
  std::uint64_t total_ = 0;
  unsigned char rest_[32];
  std::size_t rest_size_ = 0;
};

std::uint64_t xxh64(const void* data, std::size_t bytes, std::uint64_t seed = 0) noexcept;

// 16 lower-case hexadecimal digits, most significant first.
std::string hex64(std::uint64_t value);

}  // namespace traind
