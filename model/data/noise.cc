#include "model/data/noise.h"

#include <algorithm>
#include <array>
#include <utility>

#include "model/data/vocabulary.h"

namespace traind {
namespace {

using Characters = std::vector<std::string_view>;

enum class Edit { kDelete, kInsert, kReplace, kSwap };

std::uint32_t size_of(const Characters& text) { return static_cast<std::uint32_t>(text.size()); }

bool happens(double probability, RandomStream& random) {
  return static_cast<double>(random()) < probability * 4294967296.0;
}

int count_edits(const NoiseSection& settings, std::uint32_t length, RandomStream& random) {
  if (settings.per_character > 0) {
    int edits = 0;
    for (std::uint32_t i = 0; i < length; ++i) {
      edits += happens(settings.per_character, random) ? 1 : 0;
    }
    return edits;
  }
  if (!happens(settings.lines, random)) return 0;
  const int more = std::max(0, settings.max_edits - settings.min_edits);
  return settings.min_edits + static_cast<int>(random.below(static_cast<std::uint32_t>(more) + 1));
}

// Places i where characters i and i + 1 differ.
std::vector<std::uint32_t> swappable(const Characters& text) {
  std::vector<std::uint32_t> places;
  for (std::uint32_t i = 0; i + 1 < size_of(text); ++i) {
    if (text[i] != text[i + 1]) places.push_back(i);
  }
  return places;
}

// False when no edit can change the text.
bool apply_one(Characters& text, const NoiseAlphabet& alphabet, RandomStream& random) {
  const std::vector<std::uint32_t> places = swappable(text);
  std::array<Edit, 4> possible{};
  std::uint32_t kinds = 0;
  if (text.size() >= 2) possible[kinds++] = Edit::kDelete;
  if (!alphabet.empty()) possible[kinds++] = Edit::kInsert;
  if (alphabet.size() >= 2 && !text.empty()) possible[kinds++] = Edit::kReplace;
  if (!places.empty()) possible[kinds++] = Edit::kSwap;
  if (kinds == 0) return false;

  switch (possible[random.below(kinds)]) {
    case Edit::kDelete:
      text.erase(text.begin() + random.below(size_of(text)));
      break;
    case Edit::kInsert: {
      const std::uint32_t place = random.below(size_of(text) + 1);
      text.insert(text.begin() + place, alphabet.draw(random));
      break;
    }
    case Edit::kReplace: {
      std::string_view& character = text[random.below(size_of(text))];
      character = alphabet.draw_other(character, random);
      break;
    }
    case Edit::kSwap: {
      const std::uint32_t place = places[random.below(static_cast<std::uint32_t>(places.size()))];
      std::swap(text[place], text[place + 1]);
      break;
    }
  }
  return true;
}

}  // namespace

NoiseAlphabet::NoiseAlphabet(std::vector<std::string> characters)
    : characters_(std::move(characters)) {
  for (std::size_t i = 0; i < characters_.size(); ++i) {
    ends_.push_back(static_cast<std::uint32_t>(i) + 1);
  }
}

NoiseAlphabet::NoiseAlphabet(std::vector<std::string> characters,
                             const std::vector<std::int64_t>& counts)
    : characters_(std::move(characters)) {
  constexpr double kScale = 65'536;
  double total = 0;
  for (const std::int64_t count : counts) total += static_cast<double>(count);
  std::uint32_t end = 0;
  for (const std::int64_t count : counts) {
    const double weight = std::max(1.0, kScale * static_cast<double>(count) / total);
    ends_.push_back(end += static_cast<std::uint32_t>(weight));
  }
}

std::string_view NoiseAlphabet::at(std::uint32_t drawn) const {
  const auto found = std::upper_bound(ends_.begin(), ends_.end(), drawn);
  return characters_[static_cast<std::size_t>(found - ends_.begin())];
}

std::string_view NoiseAlphabet::draw(RandomStream& random) const {
  return at(random.below(ends_.back()));
}

std::string_view NoiseAlphabet::draw_other(std::string_view present, RandomStream& random) const {
  const auto found = std::find(characters_.begin(), characters_.end(), present);
  if (found == characters_.end()) return draw(random);
  // Draws from the others: those behind the present one move down by its weight.
  const auto index = static_cast<std::size_t>(found - characters_.begin());
  const std::uint32_t begin = index == 0 ? 0 : ends_[index - 1];
  const std::uint32_t weight = ends_[index] - begin;
  const std::uint32_t drawn = random.below(ends_.back() - weight);
  return at(drawn < begin ? drawn : drawn + weight);
}

std::string add_noise(std::string_view clean, const NoiseSection& settings,
                      const NoiseAlphabet& alphabet, RandomStream random) {
  Characters text = split_tokens(clean, TokenKind::kCharacters);
  const int edits = count_edits(settings, size_of(text), random);
  for (int i = 0; i < edits; ++i) {
    if (!apply_one(text, alphabet, random)) break;
  }
  std::string noisy;
  noisy.reserve(clean.size() + 8);
  for (const std::string_view character : text) noisy += character;
  return noisy;
}

}  // namespace traind
