// Lines of a pronunciation dictionary, as the releases of CMUdict are distributed: a word, white
// space, symbols with white space between them.
//
// Pure functions; views point into the line. Safe on any thread.
#pragma once

#include <string>
#include <string_view>

namespace traind {

struct DictionaryEntry {
  std::string_view word;     // without the "(2)" of a second pronunciation
  std::string_view symbols;  // as they stand, without white space around them; may be empty
};

// A line of ";;;" is a comment and no entry.
bool is_dictionary_comment(std::string_view line);

// Of a line that is no comment. A "#" with white space before it begins a comment that is no part
// of the entry. A word may end in parentheses that are not a number.
DictionaryEntry parse_dictionary_line(std::string_view line);

// Symbols with one space between them.
std::string joined_symbols(std::string_view symbols);

}  // namespace traind
