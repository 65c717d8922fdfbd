// The words by which a file calls the values of an enumeration: one table for reading and writing.
//
// Pure functions over constant tables; safe on any thread.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace traind {

template <typename Choice>
struct Word {
  Choice choice;
  const char* text;
};
// Spelt out for compilers that do not deduce it from an aggregate.
template <typename Choice>
Word(Choice, const char*) -> Word<Choice>;

// Each table holds every value of its enumeration.
template <typename Choice, std::size_t kCount>
constexpr const char* word_of(const std::array<Word<Choice>, kCount>& words, Choice choice) {
  for (const Word<Choice>& word : words) {
    if (word.choice == choice) return word.text;
  }
  return "";
}

template <typename Choice, std::size_t kCount>
std::vector<std::string> texts_of(const std::array<Word<Choice>, kCount>& words) {
  std::vector<std::string> texts;
  texts.reserve(kCount);
  for (const Word<Choice>& word : words) texts.emplace_back(word.text);
  return texts;
}

// `text` must be one of them.
template <typename Choice, std::size_t kCount>
Choice choice_of_word(const std::array<Word<Choice>, kCount>& words, const std::string& text) {
  for (const Word<Choice>& word : words) {
    if (word.text == text) return word.choice;
  }
  return words[0].choice;
}

}  // namespace traind
