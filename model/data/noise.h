// Spelling noise: what turns a clean line into the line a model must correct.
//
// A pure function of (settings, seed, epoch, number of the example): a resumed run sees the same
// noise as one that was never interrupted. Safe on any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/base/philox.h"
#include "model/data/corpus_settings.h"

namespace traind {

// What mistakes are made of: the characters of the clean lines, each as likely as it is frequent
// there. A typist hits `e` more often than `Ã±`.
class NoiseAlphabet {
 public:
  NoiseAlphabet() = default;
  // Distinct characters, each a string of its own, equally likely.
  NoiseAlphabet(std::vector<std::string> characters);
  // In proportion to `counts`, one for each character, all above 0; a share below 1 in 65,536 is
  // rounded up to that.
  NoiseAlphabet(std::vector<std::string> characters, const std::vector<std::int64_t>& counts);

  std::size_t size() const { return characters_.size(); }
  bool empty() const { return characters_.empty(); }
  // Needs one character.
  std::string_view draw(RandomStream& random) const;
  // Any but `present`, which need not be one of the alphabet; needs two characters.
  std::string_view draw_other(std::string_view present, RandomStream& random) const;

 private:
  std::string_view at(std::uint32_t drawn) const;

  std::vector<std::string> characters_;
  std::vector<std::uint32_t> ends_;  // ends_[i] = weight of characters 0..i
};

// Applies edits drawn from `random`, one after another to the text as it then stands.
//
// How many: with per_character > 0, Binomial(characters of the line, per_character); otherwise none
// with probability 1 - lines, and else uniform in min_edits..max_edits.
// Which: one of those that can change the text, each as likely as the others:
//   delete   any character; needs two, so that the result is never empty
//   insert   before any character or at the end, a draw from `alphabet`
//   replace  any character by a draw of another from `alphabet`, which needs two
//   swap     any two neighbours that differ
// So every edit changes something, but two may cancel out: a line counts as corrupted where source
// and target differ, not where edits were drawn.
//
// `clean` is valid UTF-8, not empty. The alphabet must outlive the call only.
std::string add_noise(std::string_view clean, const NoiseSection& settings,
                      const NoiseAlphabet& alphabet, RandomStream random);

}  // namespace traind
