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

}  // namespace

// To the nearest reference.
ScoreSum::Distance ScoreSum::distance(const std::string& text,
                                      std::span<const std::string> references, TokenKind kind) {
  const std::vector<std::string_view> given = split_tokens(text, kind);
  Distance nearest;
  for (std::size_t i = 0; i < references.size(); ++i) {
    const std::vector<std::string_view> wanted = split_tokens(references[i], kind);
    const bool same = text == references[i];
    const auto edits = same ? 0 : static_cast<std::int64_t>(edit_distance(given, wanted));
    if (i > 0 && edits >= nearest.edits) continue;
    nearest = {edits, static_cast<std::int64_t>(wanted.size())};
  }
  return nearest;
}

void ScoreSum::add(const std::string& source, std::span<const std::string> references,
                   const std::string& output) {
  const auto is_right = [references](const std::string& text) {
    return std::find(references.begin(), references.end(), text) != references.end();
  };
  const bool right = is_right(output);
  const bool corrupted = !is_right(source);
  ++examples_;
  exact_ += right ? 1 : 0;
  corrupted_ += corrupted ? 1 : 0;
  corrected_ += corrupted && right ? 1 : 0;
  copied_ += corrupted ? 0 : 1;
  characters_ += distance(output, references, TokenKind::kCharacters);
  words_ += distance(output, references, TokenKind::kWords);
  copy_characters_ += distance(source, references, TokenKind::kCharacters);
  bleu_.add(references, output);
}

Scores ScoreSum::scores() const {
  Scores scores;
  if (examples_ == 0) return scores;
  scores.examples = examples_;
  scores.exact = share(exact_, examples_);
  scores.corrupted = corrupted_;
  scores.correction = share(corrected_, corrupted_);
  scores.copy_exact = share(copied_, examples_);
  scores.character_error_rate = share(characters_.edits, characters_.length);
  scores.word_error_rate = share(words_.edits, words_.length);
  // Not below 0: an answer can need more edits than the target has letters.
  scores.character_accuracy = std::max(0.0, 1.0 - scores.character_error_rate);
  scores.copy_character_accuracy =
      std::max(0.0, 1.0 - share(copy_characters_.edits, copy_characters_.length));
  scores.bleu = bleu_.score();
  scores.bleu_signature = bleu_.signature();
  return scores;
}

}  // namespace traind
