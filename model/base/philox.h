// Counter-based random numbers: Philox4x32-10 (Salmon et al., SC'11, "Parallel Random Numbers:
// As Easy as 1, 2, 3"). A pure function, so that a shuffle, a noise pattern or a dropout mask is
// decided by what it belongs to and not by what was drawn before. Values; safe on any thread.
// The block function compiles for a GPU too, so that both devices draw the same masks.
#pragma once

#include <array>
#include <cstdint>

#ifdef __CUDACC__
#define TRAIND_HOST_DEVICE __host__ __device__
#else
#define TRAIND_HOST_DEVICE
#endif

namespace traind {

struct PhiloxBlock {
  std::uint32_t word[4];
};

// The 10-round block function: 128 bits of counter and 64 bits of key to 128 random bits.
TRAIND_HOST_DEVICE inline PhiloxBlock philox(PhiloxBlock counter, std::uint64_t key) {
  std::uint32_t k0 = static_cast<std::uint32_t>(key);
  std::uint32_t k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * counter.word[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * counter.word[2];
    counter = {{static_cast<std::uint32_t>(p1 >> 32) ^ counter.word[1] ^ k0,
                static_cast<std::uint32_t>(p1),
                static_cast<std::uint32_t>(p0 >> 32) ^ counter.word[3] ^ k1,
                static_cast<std::uint32_t>(p0)}};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return counter;
}

// What a stream of numbers is for. The number is part of every run: never renumber.
enum class RandomUse : std::uint32_t {
  kInit = 1,        // a = tensor index
  kShuffle = 2,     // a = epoch
  kNoise = 3,       // a = epoch (0 = fixed noise), b = index of the line
  kValidNoise = 4,  // b = index of the line
  kDropout = 5,     // a = step, b = site
  kSample = 6,      // a = epoch: which held-out lines are shown
  kToken = 7,       // row and step of a decoding that draws its tokens
};

// A finite stream named by (seed, use, a, b). Copying it copies its position.
// Source of randomness for the standard shapes below; not a cryptographic generator.
class RandomStream {
 public:
  using result_type = std::uint32_t;

  RandomStream(std::uint64_t seed, RandomUse use, std::uint64_t a = 0, std::uint64_t b = 0)
      : key_(philox({{static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(a >> 32),
                      static_cast<std::uint32_t>(use), 0x7261696eu}},
                    seed)),
        b_(b) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return 0xFFFFFFFFu; }

  result_type operator()() {
    if (used_ == 4) {
      const std::uint64_t key = key_.word[0] | std::uint64_t{key_.word[1]} << 32;
      block_ = philox({{static_cast<std::uint32_t>(position_), key_.word[2],
                        static_cast<std::uint32_t>(b_), static_cast<std::uint32_t>(b_ >> 32)}},
                      key);
      ++position_;
      used_ = 0;
    }
    return block_.word[used_++];
  }

  // Uniform in [0, 1), 24 bits, exactly representable as float.
  float uniform() { return static_cast<float>((*this)() >> 8) * (1.0f / 16777216.0f); }

  // Uniform in [0, n) without bias (Lemire, 2019); n must be above 0.
  std::uint32_t below(std::uint32_t n) {
    std::uint64_t product = std::uint64_t{(*this)()} * n;
    if (static_cast<std::uint32_t>(product) < n) {
      const std::uint32_t threshold = (0u - n) % n;
      while (static_cast<std::uint32_t>(product) < threshold) {
        product = std::uint64_t{(*this)()} * n;
      }
    }
    return static_cast<std::uint32_t>(product >> 32);
  }

 private:
  PhiloxBlock key_;
  std::uint64_t b_;
  std::uint64_t position_ = 0;
  PhiloxBlock block_{};
  int used_ = 4;
};

// Dropout: which elements of an activation survive. Element i of site `site` at `step` is kept
// iff its 32-bit draw is at or above threshold(p). One block serves elements 4k .. 4k+3.
struct DropoutKey {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  std::uint32_t site = 0;
};

TRAIND_HOST_DEVICE inline std::uint32_t dropout_threshold(float p) {
  return static_cast<std::uint32_t>(static_cast<double>(p) * 4294967296.0);
}

TRAIND_HOST_DEVICE inline PhiloxBlock dropout_draws(const DropoutKey& key, std::uint64_t block) {
  return philox(
      {{static_cast<std::uint32_t>(block),
        static_cast<std::uint32_t>(block >> 32) ^ (key.site << 16),
        static_cast<std::uint32_t>(key.step), static_cast<std::uint32_t>(RandomUse::kDropout)}},
      key.seed ^ (key.step & 0xFFFFFFFF00000000u));
}

// Sampling: the 32 bits that choose token `step` of row `row`.
TRAIND_HOST_DEVICE inline std::uint32_t token_draw(std::uint64_t seed, std::uint32_t row,
                                                   std::uint32_t step) {
  return philox({{step, row, 0, static_cast<std::uint32_t>(RandomUse::kToken)}}, seed).word[0];
}

}  // namespace traind
