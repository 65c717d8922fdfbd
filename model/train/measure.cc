#include "model/train/measure.h"

#include "model/train/run_file_words.h"

namespace traind {

const char* name_of(Measure measure) { return word_of(kMeasureWords, measure); }

double value_of(Measure measure, double valid_loss, const Scores& scores) {
  switch (measure) {
    case Measure::kLoss:
      return valid_loss;
    case Measure::kExact:
      return scores.exact;
    case Measure::kCharacterAccuracy:
      return scores.character_accuracy;
    case Measure::kCharacterErrorRate:
      return scores.character_error_rate;
    case Measure::kWordErrorRate:
      return scores.word_error_rate;
    case Measure::kBleu:
      return scores.bleu;
    case Measure::kCorrection:
      return scores.correction;
  }
  return valid_loss;
}

bool better(Measure measure, double value, double than) {
  const bool less_is_better = measure == Measure::kLoss ||
                              measure == Measure::kCharacterErrorRate ||
                              measure == Measure::kWordErrorRate;
  return less_is_better ? value < than : value > than;
}

std::int64_t epochs_without_better(Measure measure, std::span<const double> results) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < results.size(); ++i) {
    if (better(measure, results[i], results[best])) best = i;
  }
  return results.empty() ? 0 : static_cast<std::int64_t>(results.size() - 1 - best);
}

}  // namespace traind
