// Corpus BLEU as sacreBLEU computes it by default: tokenizer 13a, case kept, up to four words,
// exponential smoothing, effective order off, of several references the closest length.
//
// A value that answers are added to; owned by one thread. The formula is that of Papineni et al.,
// "BLEU" (ACL 2002); the smoothing is NIST's, method 3 of Chen and Cherry (2014). Tests hold it to
// sacreBLEU's figures.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace traind {

// The words that tokenizer 13a cuts a text into: ASCII punctuation parted off, a few entities of
// SGML resolved, everything else cut at white space (Unicode's). `text` is one line of valid UTF-8.
std::vector<std::string> tokenize_13a(std::string_view text);

class BleuSum {
 public:
  // At least one reference. An empty output counts as one of no words.
  void add(std::span<const std::string> references, const std::string& output);
  // 0..100. 0 where no word agrees, and where no output has four words: the order is not lowered
  // for short texts, as sacreBLEU does not lower it for a corpus.
  double score() const;
  // Which settings these are, in sacreBLEU's form. nrefs is "var" where lines differ in the number
  // of references, and version is traind's own: it is not sacreBLEU that computed the figure.
  std::string signature() const;

 private:
  static constexpr std::size_t kOrders = 4;

  std::array<std::int64_t, kOrders> matched_{};  // runs of 1..4 words that a reference has too
  std::array<std::int64_t, kOrders> offered_{};  // in the outputs
  std::int64_t output_words_ = 0;
  std::int64_t reference_words_ = 0;
  std::size_t references_ = 0;  // of the first line
  bool references_vary_ = false;
};

}  // namespace traind
