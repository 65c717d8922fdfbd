#include "daemon/ulid.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "model/base/error.h"

namespace traind {
namespace {

constexpr std::string_view kCrockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kLength = 26;

}  // namespace

std::string make_ulid(std::int64_t unix_micros) {
  std::array<std::uint8_t, 10> random{};
  if (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    throw system_error("getrandom", errno);
  }
  std::string text(kLength, '0');
  std::uint64_t millis = static_cast<std::uint64_t>(unix_micros / 1000);
  for (int i = 9; i >= 0; --i) {
    text[static_cast<std::size_t>(i)] = kCrockford[millis & 31];
    millis >>= 5;
  }
  // 80 random bits are 16 digits of five bits.
  for (std::size_t digit = 0; digit < 16; ++digit) {
    const std::size_t bit = digit * 5;
    unsigned window = unsigned{random[bit / 8]} << 8;
    if (bit / 8 + 1 < random.size()) window |= random[bit / 8 + 1];
    text[10 + digit] = kCrockford[(window >> (11 - bit % 8)) & 31];
  }
  return text;
}

bool is_ulid(const std::string& text) {
  return text.size() == kLength && text[0] <= '7' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return kCrockford.find(c) != std::string_view::npos; });
}

}  // namespace traind
