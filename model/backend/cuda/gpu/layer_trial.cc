#include "model/backend/cuda/gpu/layer_trial.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <vector>

#include "model/backend/cuda/gpu/trial_run.h"
#include "model/base/error.h"

namespace traind::cuda {
namespace {

constexpr int kRepeats = 3;  // for equal bits
constexpr int kSamples = 7;  // for a median
constexpr int kPasses = 3;   // in a sample

struct Candidate {
  RnnKind kind;
  std::unique_ptr<Rnn> rnn;
  Layer::Places places;
  double milliseconds = 0;
  std::string dropped;  // why; empty when it is fit
};

// The standard algorithm comes first: the others are held against it. Apart from it, this is the
// order of the deterministic mode's preference.
std::vector<Candidate> candidates_of(Precision precision) {
  std::vector<cudnnMathType_t> maths{CUDNN_TENSOR_OP_MATH};
  if (precision == Precision::kFp32) maths = {CUDNN_FMA_MATH};
  if (precision == Precision::kTf32) maths = {CUDNN_DEFAULT_MATH, CUDNN_FMA_MATH};
  std::vector<Candidate> candidates;
  for (const cudnnRNNAlgo_t algorithm :
       {CUDNN_RNN_ALGO_STANDARD, CUDNN_RNN_ALGO_PERSIST_STATIC,
        CUDNN_RNN_ALGO_PERSIST_STATIC_SMALL_H, CUDNN_RNN_ALGO_PERSIST_DYNAMIC}) {
    for (const cudnnMathType_t math : maths) {
      candidates.emplace_back();
      candidates.back().kind = {algorithm, math};
    }
  }
  return candidates;
}

// How far rounding alone can take two algorithms apart. A wrong one is off by about 1.
double rounding_of(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return 1e-3;
    case Precision::kBf16:
      return 1e-1;
    case Precision::kTf32:
    case Precision::kFp16:
      return 3e-2;
  }
  return 0;
}

std::string reason_of(const RnnAnswer& answer) {
  return is_not_supported(answer.status) ? "not supported"
                                         : answer.call + (": " + words_of(answer.status));
}

class Trial {
 public:
  Trial(Context& context, const LayerShape& shape)
      : context_(context), run_(context, shape), shape_(shape) {}

  // Fills in the candidate. Throws where the device itself fails, or too little memory is free.
  void examine(Candidate& candidate);
  bool has_reference() const { return reference_.has_value(); }

 private:
  std::string pass(Candidate& candidate);
  bool repeats_its_bits(const Candidate& candidate, const Outcome& first);
  void time(Candidate& candidate, const OwnedGraph& graph);

  Context& context_;
  TrialRun run_;
  const LayerShape shape_;
  std::optional<Outcome> reference_;
};

void Trial::examine(Candidate& candidate) {
  candidate.dropped = pass(candidate);
  if (candidate.dropped.empty()) return;
  // A failed call may have ended the device, or left half of its work behind.
  static_cast<void>(cudaGetLastError());
  context_.check(cudaStreamSynchronize(context_.stream()), "cudaStreamSynchronize",
                 [&] { return " after " + name_of(candidate.kind, context_.options().precision); });
  candidate.rnn.reset();
}

std::string Trial::pass(Candidate& candidate) {
  candidate.rnn = std::make_unique<Rnn>(context_, shape_, candidate.kind);
  if (!candidate.rnn->made().fine()) return reason_of(candidate.rnn->made());
  const Rnn& rnn = *candidate.rnn;
  {
    const Scratch weights(context_, rnn.weight_bytes());
    const RnnAnswer found = rnn.find(weights.data(), candidate.places);
    if (!found.fine()) return reason_of(found);
  }
  run_.prepare(rnn, candidate.places);
  RnnAnswer answer = run_.queue(rnn);
  if (!answer.fine()) return reason_of(answer);
  const Precision precision = context_.options().precision;
  const Outcome outcome = run_.read(candidate.places);
  const double off = distance(outcome, reference_ ? *reference_ : outcome, compute_type(precision));
  if (!(off <= rounding_of(precision))) return "wrong by " + std::to_string(off);
  if (!reference_) reference_ = outcome;
  if (context_.options().deterministic && !repeats_its_bits(candidate, outcome)) {
    return "bits differ";
  }
  context_.begin_capture();
  answer = run_.queue(rnn);
  if (!answer.fine()) {
    context_.abandon_capture();
    return "cannot be part of a graph: " + reason_of(answer);
  }
  time(candidate, context_.end_capture());
  return {};
}

bool Trial::repeats_its_bits(const Candidate& candidate, const Outcome& first) {
  for (int i = 1; i < kRepeats; ++i) {
    if (!run_.queue(*candidate.rnn).fine() || run_.read(candidate.places) != first) return false;
  }
  return true;
}

// As a graph, since that is how it will run: the standard algorithm's many launches cost less so.
void Trial::time(Candidate& candidate, const OwnedGraph& graph) {
  OwnedEvent begin;
  OwnedEvent end;
  context_.check(cudaEventCreate(begin.out()), "cudaEventCreate");
  context_.check(cudaEventCreate(end.out()), "cudaEventCreate");
  std::vector<float> samples;
  for (int sample = -1; sample < kSamples; ++sample) {
    context_.check(cudaEventRecord(begin.get(), context_.stream()), "cudaEventRecord");
    for (int i = 0; i < kPasses; ++i) {
      context_.check(cudaGraphLaunch(graph.get(), context_.stream()), "cudaGraphLaunch");
    }
    context_.check(cudaEventRecord(end.get(), context_.stream()), "cudaEventRecord");
    context_.check(cudaEventSynchronize(end.get()), "cudaEventSynchronize");
    float milliseconds = 0;
    context_.check(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()),
                   "cudaEventElapsedTime");
    if (sample >= 0) samples.push_back(milliseconds / kPasses);  // the first one warms up
  }
  std::nth_element(samples.begin(), samples.begin() + kSamples / 2, samples.end());
  candidate.milliseconds = samples[kSamples / 2];
}

std::vector<Candidate>::iterator best_of(std::vector<Candidate>& candidates, bool deterministic) {
  const auto better = [&](const Candidate& one, const Candidate& other) {
    if (!one.dropped.empty() || !other.dropped.empty()) {
      return one.dropped.empty() && !other.dropped.empty();
    }
    if (!deterministic) return one.milliseconds < other.milliseconds;
    return one.kind.algorithm != CUDNN_RNN_ALGO_STANDARD &&
           other.kind.algorithm == CUDNN_RNN_ALGO_STANDARD;
  };
  return std::ranges::min_element(candidates, better);
}

std::string result_of(const Candidate& candidate, Precision precision) {
  const std::string name = name_of(candidate.kind, precision);
  if (!candidate.dropped.empty()) return name + " " + candidate.dropped;
  char time[32];
  std::snprintf(time, sizeof time, " %.3f ms", candidate.milliseconds);
  return name + time;
}

}  // namespace

TriedLayer try_layer(Context& context, const LayerShape& shape) {
  const Precision precision = context.options().precision;
  const bool deterministic = context.options().deterministic;
  std::vector<Candidate> candidates = candidates_of(precision);
  Trial trial(context, shape);
  for (Candidate& candidate : candidates) {
    try {
      trial.examine(candidate);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kDevice || !trial.has_reference()) throw;
      candidate.rnn.reset();
      candidate.dropped = error.what();
    }
  }
  const auto best = best_of(candidates, deterministic);
  std::string others;
  for (const Candidate& candidate : candidates) {
    if (&candidate == &*best && best->dropped.empty()) continue;
    others += (others.empty() ? "" : "; ") + result_of(candidate, precision);
  }
  if (!best->dropped.empty()) {
    throw Error(ErrorKind::kDevice, words_of(shape, precision) + " on " + context.name() +
                                        ": cuDNN has no algorithm for it (" + others + ")");
  }
  const char* const why = deterministic ? ", first in order with equal bits" : "";
  return {std::move(best->rnn), best->places,
          result_of(*best, precision) + why + " (" + others + ")"};
}

}  // namespace traind::cuda
