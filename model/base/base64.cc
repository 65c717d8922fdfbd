#include "model/base/base64.h"

#include <algorithm>
#include <cstdint>

namespace traind {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t begin = 0; begin < bytes.size(); begin += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - begin);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[begin + i]) : 0u);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text += i <= count ? kDigits[group >> (18 - 6 * i) & 63] : '=';
    }
  }
  return text;
}

bool from_base64(std::string_view text, std::string& bytes) {
  bytes.clear();
  if (text.size() % 4 != 0) return false;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t begin = 0; begin < text.size(); begin += 4) {
    std::string_view digits = text.substr(begin, 4);
    if (begin + 4 == text.size()) digits = digits.substr(0, digits.find('='));
    if (digits.size() < 2 ||
        text.substr(begin + digits.size(), 4 - digits.size()).find_first_not_of('=') !=
            std::string_view::npos) {
      return false;
    }
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t digit = i < digits.size() ? kDigits.find(digits[i]) : 0;
      if (digit == std::string_view::npos) return false;
      group = group << 6 | static_cast<std::uint32_t>(digit);
    }
    const std::size_t count = digits.size() - 1;
    // Bits that stand for no byte must be 0.
    if ((group & ((1u << (24 - 8 * count)) - 1)) != 0) return false;
    for (std::size_t i = 0; i < count; ++i) {
      bytes += static_cast<char>(group >> (16 - 8 * i) & 0xFF);
    }
  }
  return true;
}

}  // namespace traind
