#include "model/train/scores.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "model/base/edit_distance.h"
#include "model/data/vocabulary.h"

namespace traind {
namespace {

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::int64_t distance(const std::vector<std::string_view>& a,
                      const std::vector<std::string_view>& b) {
  return static_cast<std::int64_t>(edit_distance(a, b));
}

// 1 - edits / characters, not below 0: an answer can need more edits than the target has letters.
double accuracy(std::int64_t edits, std::int64_t characters) {
  return characters == 0 ? 0.0 : std::max(0.0, 1.0 - share(edits, characters));
}

}  // namespace

void ScoreSum::add(const std::string& source, const std::string& target,
                   const std::string& output) {
  const auto target_characters = split_tokens(target, TokenKind::kCharacters);
  const bool right = output == target;
  const bool corrupted = source != target;
  ++examples_;
  exact_ += right ? 1 : 0;
  corrupted_ += corrupted ? 1 : 0;
  corrected_ += corrupted && right ? 1 : 0;
  copied_ += corrupted ? 0 : 1;
  characters_ += static_cast<std::int64_t>(target_characters.size());
  if (!right) edits_ += distance(split_tokens(output, TokenKind::kCharacters), target_characters);
  if (corrupted) {
    copy_edits_ += distance(split_tokens(source, TokenKind::kCharacters), target_characters);
  }
}

Scores ScoreSum::scores() const {
  Scores scores;
  scores.examples = examples_;
  scores.exact = share(exact_, examples_);
  scores.character_accuracy = accuracy(edits_, characters_);
  scores.corrupted = corrupted_;
  scores.correction = share(corrected_, corrupted_);
  scores.copy_exact = share(copied_, examples_);
  scores.copy_character_accuracy = accuracy(copy_edits_, characters_);
  return scores;
}

}  // namespace traind
