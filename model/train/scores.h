// How well lines are answered: every figure that reports show side by side.
//
// A value that examples are added to; owned by one thread. The text must be valid UTF-8; characters
// are code points, words what stands between ASCII white space. Not for a language model, which
// answers nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "model/data/corpus_settings.h"
#include "model/train/bleu.h"
#include "model/train/events.h"

namespace traind {

class ScoreSum {
 public:
  // `references` are the answers that count as right, at least one, none of them empty. Edits are
  // counted to the nearest of them, which is the one with the fewest; of equally near ones the
  // first. Characters and words each have their own nearest.
  void add(const std::string& source, std::span<const std::string> references,
           const std::string& output);
  // Shares of nothing are 0, and so are the error rates. `corrupted` counts lines whose source is
  // none of the references. BLEU is of 13a's words whatever the model's tokens are: for answers of
  // one word, such as spelling's, it says little and is 0 for most.
  Scores scores() const;

 private:
  // Edits over the length of the nearest references.
  struct Distance {
    std::int64_t edits = 0;
    std::int64_t length = 0;
    void operator+=(const Distance& other) {
      edits += other.edits;
      length += other.length;
    }
  };
  static Distance distance(const std::string& text, std::span<const std::string> references,
                           TokenKind kind);

  std::int64_t examples_ = 0;
  std::int64_t exact_ = 0;
  std::int64_t corrupted_ = 0;
  std::int64_t corrected_ = 0;
  std::int64_t copied_ = 0;
  Distance characters_;       // from the outputs
  Distance words_;            // likewise
  Distance copy_characters_;  // from the sources
  BleuSum bleu_;
};

}  // namespace traind
