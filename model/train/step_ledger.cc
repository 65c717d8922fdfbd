#include "model/train/step_ledger.h"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>
#include <utility>

#include "model/base/error.h"

namespace traind {
namespace {

// Loss scaling may skip a step whose gradients are too large for 16 bits, as long as it can still
// lower its scale; a loss that is not finite is none of its business.
void refuse_divergence(std::int64_t step, const StepResult& result) {
  const bool loss_is_finite = std::isfinite(result.loss.loss);
  const bool norm_is_fine =
      result.skipped ? result.loss_scale > 1 : std::isfinite(result.gradient_norm);
  if (loss_is_finite && norm_is_fine) return;
  throw Error(ErrorKind::kDiverged,
              "step " + std::to_string(step) + ": the " +
                  (loss_is_finite ? "gradient norm" : "loss") +
                  " is not finite. The newest checkpoint is from before it; try a lower "
                  "train.learning_rate or train.clip_norm.");
}

}  // namespace

void StepLedger::taken(std::int64_t examples, std::int64_t tokens) {
  const std::optional<Unsettled> before =
      std::exchange(unsettled_, Unsettled{state_.step, examples, tokens});
  if (before) count(*before, model_.take_result());
}

void StepLedger::settle() {
  if (!unsettled_) return;
  const Unsettled step = *std::exchange(unsettled_, std::nullopt);
  count(step, model_.take_result());
}

void StepLedger::count(const Unsettled& step, const StepResult& result) {
  refuse_divergence(step.step, result);
  state_.epoch_loss += result.loss.loss;
  state_.epoch_tokens += result.loss.tokens;
  state_.row.loss += result.loss.loss;
  state_.row.tokens += result.loss.tokens;
  state_.row.correct += result.loss.correct;
  if (result.skipped) {
    ++skipped_;
  } else {
    state_.row.gradient_norm += result.gradient_norm;
    ++state_.row.steps;
  }
  loss_scale_ = result.loss_scale;
  last_loss_ =
      result.loss.tokens == 0 ? 0 : result.loss.loss / static_cast<double>(result.loss.tokens);
  pace_.step(step.examples, step.tokens, Pace::Clock::now());
}

std::optional<Notice> StepLedger::take_skipped(int epoch) {
  if (skipped_ == 0) return std::nullopt;
  char text[256];
  std::snprintf(text, sizeof text,
                "epoch %d: %lld steps were left out because their gradients did not fit into 16 "
                "bits; the loss scale is now %g. A few are normal; with many, use precision = "
                "\"bf16\".",
                epoch, static_cast<long long>(skipped_), static_cast<double>(loss_scale_));
  skipped_ = 0;
  return Notice{ErrorKind::kDiverged, text};
}

}  // namespace traind
