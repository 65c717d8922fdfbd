// Beam search over a batch, apart from any device: the device says which tokens are likely next,
// this says which hypotheses live on and when it is over. With a beam of 1 it is greedy decoding.
// Owned by one decode() call, used by its thread; never waits. B sentences, K = beam.
//
// One step: of all extensions of a sentence's live hypotheses the K of the highest log p are taken
// (among equals: the lower hypothesis, then the lower id). Those by the end mark are ended and
// compete by score for the `best` places; the others live on. So K hypotheses are looked at in
// every step, however many have ended before.
//
// A sentence is over when nothing lives, after max_steps (what lives then competes as it is, with
// ended = false), or when all `best` places are taken and no live hypothesis can still win one: its
// log p cannot rise, so its score cannot exceed log p / ((5 + max_steps) / 6)^alpha. Stopping there
// changes nothing: going on to max_steps would give the same answers. What beam search itself does
// not promise is the best answers of all, unless K is as large as the number of all hypotheses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/backend/backend.h"

namespace traind {

// log p / ((5 + tokens) / 6)^alpha, as Search::length_alpha says. `tokens` counts the end mark.
double search_score(double log_probability, std::size_t tokens, float alpha);

// A next token of one hypothesis.
struct Candidate {
  double log_probability = 0;  // of the token alone
  std::int32_t id = 0;
  std::int32_t unused = 0;  // no padding, since devices write it
};

class BeamSearch {
 public:
  // `call` has passed check_decode() and outlives the search.
  explicit BeamSearch(const DecodeCall& call);

  // Nothing is left to look for.
  bool over() const { return width_ == 0; }
  // Hypothesis k of sentence b is row k*B + b; rows of k at or above this need not be computed.
  int width() const { return width_; }
  // [K*B] what each row is fed, and the row of the step before whose state it goes on from. Rows
  // without a hypothesis hold valid ones too. Valid until advance().
  std::span<const std::int32_t> ids() const { return ids_; }
  std::span<const std::int32_t> parents() const { return parents_; }

  // How many candidates a row has: K, or all words where there are fewer.
  int choices() const { return static_cast<int>(choices_); }
  // `candidates` [width()*B,choices()], likeliest first, lower ids first among equals. A sampler
  // gives the one it drew.
  void advance(std::span<const Candidate> candidates);

  // [B*best], as Backend::decode() gives them.
  std::vector<Decoded> result() const;

 private:
  // The last token of a hypothesis; the one before it is node `before`, -1 = none.
  struct Node {
    std::int32_t before = -1;
    std::int32_t id = 0;
  };
  struct Live {
    double log_probability = 0;
    std::int32_t node = -1;
  };
  struct Done {
    double log_probability = 0;
    double score = 0;
    std::int32_t node = -1;
    bool ended = false;
  };
  struct Sentence {
    std::vector<Live> live;  // likeliest first
    std::vector<Done> done;  // at most `best`, best first
  };
  struct Extension {
    double log_probability = 0;  // of all of it
    std::int32_t from = 0;       // k of the hypothesis
    std::int32_t id = 0;
  };

  void extend(std::size_t b, std::span<const Candidate> candidates);
  void take(std::size_t b, std::span<const Extension> chosen);
  void finish(Sentence& sentence, const Live& hypothesis, bool ended);
  bool hopeless(const Sentence& sentence) const;
  void point_rows();

  const DecodeCall& call_;
  const std::size_t batch_;  // B
  const std::size_t beam_;   // K
  const std::size_t choices_;
  int steps_ = 0;  // done
  int width_ = 0;
  std::vector<Sentence> sentences_;  // [B]
  std::vector<Node> nodes_;
  std::vector<Extension> pool_;  // of one sentence
  std::vector<std::int32_t> ids_;
  std::vector<std::int32_t> parents_;
};

}  // namespace traind
