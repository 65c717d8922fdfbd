#include "model/data/dictionary.h"

#include <algorithm>

#include "model/data/vocabulary.h"

namespace traind {
namespace {

constexpr std::string_view kWhite = " \t";

// "word(2)" is the second pronunciation of "word".
std::string_view without_number(std::string_view word) {
  const std::size_t open = word.rfind('(');
  if (open == std::string_view::npos || open == 0 || !word.ends_with(')')) return word;
  const std::string_view number = word.substr(open + 1, word.size() - open - 2);
  const bool digits = !number.empty() && std::all_of(number.begin(), number.end(),
                                                     [](char c) { return c >= '0' && c <= '9'; });
  return digits ? word.substr(0, open) : word;
}

std::string_view without_comment(std::string_view symbols) {
  for (std::size_t at = symbols.find('#'); at != std::string_view::npos;
       at = symbols.find('#', at + 1)) {
    if (at == 0 || kWhite.find(symbols[at - 1]) != std::string_view::npos) {
      return symbols.substr(0, at);
    }
  }
  return symbols;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kWhite);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhite) + 1 - begin);
}

}  // namespace

bool is_dictionary_comment(std::string_view line) { return line.starts_with(";;;"); }

DictionaryEntry parse_dictionary_line(std::string_view line) {
  const std::size_t end = std::min(line.find_first_of(kWhite), line.size());
  return {without_number(line.substr(0, end)), trimmed(without_comment(trimmed(line.substr(end))))};
}

std::string joined_symbols(std::string_view symbols) {
  std::string joined;
  joined.reserve(symbols.size());
  for (const std::string_view symbol : split_tokens(symbols, TokenKind::kWords)) {
    if (!joined.empty()) joined += ' ';
    joined += symbol;
  }
  return joined;
}

}  // namespace traind
