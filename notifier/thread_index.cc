#include "notifier/thread_index.h"

#include <cstdint>

#include "model/base/base64.h"
#include "model/base/xxh64.h"

namespace traind {
namespace {

// Milliseconds since 1970 in the first ten digits of a ULID (Crockford's base 32); 0 if it is none.
std::uint64_t ulid_millis(std::string_view id) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  constexpr std::size_t kUlidSize = 26;
  constexpr std::size_t kTimeDigits = 10;
  if (id.size() != kUlidSize) return 0;
  std::uint64_t millis = 0;
  for (const char c : id.substr(0, kTimeDigits)) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return 0;
    millis = millis << 5 | digit;
  }
  return millis;
}

void append_big_endian(std::string& bytes, std::uint64_t value, int count) {
  for (int i = count - 1; i >= 0; --i) bytes += static_cast<char>(value >> (8 * i) & 0xFF);
}

}  // namespace

std::string thread_index_of(std::string_view run_id) {
  constexpr std::uint64_t kMillisFrom1601 = 11'644'473'600'000;
  constexpr std::uint64_t kFiletimePerMilli = 10'000;
  const std::uint64_t filetime = (ulid_millis(run_id) + kMillisFrom1601) * kFiletimePerMilli;
  std::string bytes;
  append_big_endian(bytes, filetime >> 16, 6);
  append_big_endian(bytes, xxh64(run_id.data(), run_id.size(), 1), 8);
  append_big_endian(bytes, xxh64(run_id.data(), run_id.size(), 2), 8);
  return base64(bytes);
}

}  // namespace traind
