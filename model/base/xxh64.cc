#include "model/base/xxh64.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace traind {
namespace {

static_assert(std::endian::native == std::endian::little, "checkpoints are little-endian");

constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87u;
constexpr std::uint64_t kPrime2 = 0xC2B2AE3D27D4EB4Fu;
constexpr std::uint64_t kPrime3 = 0x165667B19E3779F9u;
constexpr std::uint64_t kPrime4 = 0x85EBCA77C2B2AE63u;
constexpr std::uint64_t kPrime5 = 0x27D4EB2F165667C5u;

std::uint64_t read64(const unsigned char* at) noexcept {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::uint32_t read32(const unsigned char* at) noexcept {
  std::uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::uint64_t mix_lane(std::uint64_t lane, std::uint64_t input) noexcept {
  return std::rotl(lane + input * kPrime2, 31) * kPrime1;
}

std::uint64_t merge_lane(std::uint64_t hash, std::uint64_t lane) noexcept {
  return (hash ^ mix_lane(0, lane)) * kPrime1 + kPrime4;
}

}  // namespace

Xxh64::Xxh64(std::uint64_t seed) noexcept
    : lane_{seed + kPrime1 + kPrime2, seed + kPrime2, seed, seed - kPrime1}, seed_(seed), rest_{} {}

void Xxh64::update(const void* data, std::size_t bytes) noexcept {
  if (bytes == 0) return;  // `data` may then be null, which memcpy must not see
  const unsigned char* at = static_cast<const unsigned char*>(data);
  total_ += bytes;
  if (rest_size_ > 0) {
    const std::size_t take = std::min(bytes, sizeof rest_ - rest_size_);
    std::memcpy(rest_ + rest_size_, at, take);
    rest_size_ += take;
    at += take;
    bytes -= take;
    if (rest_size_ < sizeof rest_) return;
    for (std::size_t i = 0; i < 4; ++i) lane_[i] = mix_lane(lane_[i], read64(rest_ + 8 * i));
    rest_size_ = 0;
  }
  for (; bytes >= 32; at += 32, bytes -= 32) {
    for (std::size_t i = 0; i < 4; ++i) lane_[i] = mix_lane(lane_[i], read64(at + 8 * i));
  }
  if (bytes > 0) std::memcpy(rest_, at, bytes);
  rest_size_ = bytes;
}

std::uint64_t Xxh64::digest() const noexcept {
  std::uint64_t hash = seed_ + kPrime5;
  if (total_ >= 32) {
    hash = std::rotl(lane_[0], 1) + std::rotl(lane_[1], 7) + std::rotl(lane_[2], 12) +
           std::rotl(lane_[3], 18);
    for (const std::uint64_t lane : lane_) hash = merge_lane(hash, lane);
  }
  hash += total_;
  const unsigned char* at = rest_;
  std::size_t left = rest_size_;
  for (; left >= 8; at += 8, left -= 8) {
    hash = std::rotl(hash ^ mix_lane(0, read64(at)), 27) * kPrime1 + kPrime4;
  }
  if (left >= 4) {
    hash = std::rotl(hash ^ (read32(at) * kPrime1), 23) * kPrime2 + kPrime3;
    at += 4;
    left -= 4;
  }
  for (; left > 0; ++at, --left) hash = std::rotl(hash ^ (*at * kPrime5), 11) * kPrime1;
  hash = (hash ^ (hash >> 33)) * kPrime2;
  hash = (hash ^ (hash >> 29)) * kPrime3;
  return hash ^ (hash >> 32);
}

std::uint64_t xxh64(const void* data, std::size_t bytes, std::uint64_t seed) noexcept {
  Xxh64 hash(seed);
  hash.update(data, bytes);
  return hash.digest();
}

std::string hex64(std::uint64_t value) {
  std::string text(16, '0');
  for (int i = 15; i >= 0; --i, value >>= 4)
    text[static_cast<std::size_t>(i)] = "0123456789abcdef"[value & 15];
  return text;
}

}  // namespace traind
