#include <algorithm>
#include <string_view>

#include "notifier/mail.h"

namespace traind {
namespace {

// Lengths: RFC 5321, 4.5.3.1; a path is 256 with its angle brackets.
constexpr std::size_t kLongestLocal = 64;
constexpr std::size_t kLongestAddress = 254;
constexpr std::size_t kLongestLabel = 63;

bool is_alphanumeric(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// atext of RFC 5322, 3.2.3.
bool is_atom(char c) noexcept {
  return is_alphanumeric(c) ||
         (c != '\0' && std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos);
}

bool is_label(std::string_view label) noexcept {
  return !label.empty() && label.size() <= kLongestLabel && label.front() != '-' &&
         label.back() != '-' && std::all_of(label.begin(), label.end(), [](char c) {
           return is_alphanumeric(c) || c == '-';
         });
}

// True if `text` is one or more parts joined by single dots, each accepted by `is_part`.
template <typename IsPart>
bool is_dotted(std::string_view text, IsPart is_part) {
  while (true) {
    const std::size_t dot = std::min(text.find('.'), text.size());
    if (!is_part(text.substr(0, dot))) return false;
    if (dot == text.size()) return true;
    text.remove_prefix(dot + 1);
  }
}

}  // namespace

bool is_valid_address(const std::string& address) {
  const std::size_t at = address.find('@');
  if (at == std::string::npos || at > kLongestLocal || address.size() > kLongestAddress) {
    return false;
  }
  const std::string_view whole(address);
  const auto is_atom_text = [](std::string_view part) {
    return !part.empty() && std::all_of(part.begin(), part.end(), is_atom);
  };
  return is_dotted(whole.substr(0, at), is_atom_text) && is_dotted(whole.substr(at + 1), is_label);
}

}  // namespace traind
