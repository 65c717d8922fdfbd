#include "model/backend/beam_search.h"

#include <algorithm>
#include <cmath>

namespace traind {
namespace {

constexpr double kWorst = -HUGE_VAL;

// A diverged model's numbers come last, so that the order stays one.
double rank_of(double value) {
  if (std::isnan(value)) return kWorst;
  return value;
}

}  // namespace

double search_score(double log_probability, std::size_t tokens, float alpha) {
  return log_probability / std::pow((5.0 + static_cast<double>(tokens)) / 6.0, alpha);
}

BeamSearch::BeamSearch(const DecodeCall& call)
    : call_(call),
      batch_(call.begin.size()),
      beam_(static_cast<std::size_t>(call.search.beam)),
      choices_(std::min(beam_, call.output.bias.size)),
      sentences_(batch_),
      ids_(batch_ * beam_),
      parents_(batch_ * beam_) {
  for (Sentence& sentence : sentences_) {
    if (call.max_steps > 0) {
      sentence.live.emplace_back();
    } else {
      finish(sentence, {}, false);
    }
  }
  width_ = call.max_steps > 0 ? 1 : 0;
  point_rows();
}

// Rows without a hypothesis go on from the first one of their sentence, with what it began with.
void BeamSearch::point_rows() {
  for (std::size_t row = 0; row < ids_.size(); ++row) {
    ids_[row] = call_.begin[row % batch_];
    parents_[row] = static_cast<std::int32_t>(row % batch_);
  }
}

void BeamSearch::advance(std::span<const Candidate> candidates) {
  ++steps_;
  point_rows();
  for (std::size_t b = 0; b < batch_; ++b) extend(b, candidates);
  std::size_t widest = 0;
  for (Sentence& sentence : sentences_) {
    if (steps_ >= call_.max_steps) {
      for (const Live& one : sentence.live) finish(sentence, one, false);
      sentence.live.clear();
    }
    if (hopeless(sentence)) sentence.live.clear();
    widest = std::max(widest, sentence.live.size());
  }
  width_ = static_cast<int>(widest);
}

void BeamSearch::extend(std::size_t b, std::span<const Candidate> candidates) {
  const std::vector<Live>& live = sentences_[b].live;
  pool_.clear();
  for (std::size_t k = 0; k < live.size(); ++k) {
    for (const Candidate& next : candidates.subspan((k * batch_ + b) * choices_, choices_)) {
      pool_.push_back(
          {live[k].log_probability + next.log_probability, static_cast<std::int32_t>(k), next.id});
    }
  }
  const auto before = [](const Extension& one, const Extension& other) {
    const double ours = rank_of(one.log_probability);
    const double theirs = rank_of(other.log_probability);
    if (ours != theirs) return ours > theirs;
    return one.from != other.from ? one.from < other.from : one.id < other.id;
  };
  const std::size_t count = std::min(beam_, pool_.size());
  std::partial_sort(pool_.begin(), pool_.begin() + static_cast<std::ptrdiff_t>(count), pool_.end(),
                    before);
  take(b, std::span<const Extension>(pool_).first(count));
}

void BeamSearch::take(std::size_t b, std::span<const Extension> chosen) {
  Sentence& sentence = sentences_[b];
  std::vector<Live> next;
  for (const Extension& one : chosen) {
    const std::int32_t before = sentence.live[static_cast<std::size_t>(one.from)].node;
    if (one.id == call_.end) {
      finish(sentence, {one.log_probability, before}, true);
      continue;
    }
    const std::size_t row = next.size() * batch_ + b;
    ids_[row] = one.id;
    parents_[row] = static_cast<std::int32_t>(static_cast<std::size_t>(one.from) * batch_ + b);
    next.push_back({one.log_probability, static_cast<std::int32_t>(nodes_.size())});
    nodes_.push_back({before, one.id});
  }
  sentence.live = std::move(next);
}

void BeamSearch::finish(Sentence& sentence, const Live& hypothesis, bool ended) {
  const double score = search_score(hypothesis.log_probability, static_cast<std::size_t>(steps_),
                                    call_.search.length_alpha);
  // Among equals the earlier one stays in front.
  const auto at = std::ranges::find_if(
      sentence.done, [score](const Done& other) { return rank_of(other.score) < rank_of(score); });
  sentence.done.insert(at, {hypothesis.log_probability, score, hypothesis.node, ended});
  if (sentence.done.size() > static_cast<std::size_t>(call_.search.best)) sentence.done.pop_back();
}

bool BeamSearch::hopeless(const Sentence& sentence) const {
  if (sentence.live.empty()) return true;
  if (sentence.done.size() < static_cast<std::size_t>(call_.search.best)) return false;
  const double highest =
      search_score(sentence.live.front().log_probability, static_cast<std::size_t>(call_.max_steps),
                   call_.search.length_alpha);
  return highest <= sentence.done.back().score;
}

std::vector<Decoded> BeamSearch::result() const {
  const auto best = static_cast<std::size_t>(call_.search.best);
  std::vector<Decoded> result(batch_ * best);
  for (std::size_t row = 0; row < result.size(); ++row) {
    Decoded& to = result[row];
    const std::vector<Done>& done = sentences_[row / best].done;
    if (row % best >= done.size()) {
      to.log_probability = to.score = kWorst;
      continue;
    }
    const Done& from = done[row % best];
    to.log_probability = from.log_probability;
    to.score = from.score;
    to.ended = from.ended;
    for (std::int32_t node = from.node; node >= 0;) {
      const Node& one = nodes_[static_cast<std::size_t>(node)];
      to.ids.push_back(one.id);
      node = one.before;
    }
    std::ranges::reverse(to.ids);
  }
  return result;
}

}  // namespace traind
