#include "client/render_verify.h"

#include <cmath>
#include <cstdio>

#include "client/figures.h"
#include "client/render_status.h"
#include "client/terminal_text.h"

namespace traind {

namespace {

constexpr int kLabelColumns = 11;
constexpr int kBarColumns = 24;

std::string labelled(const Look& look, const std::string& label, const std::string& value) {
  return "  " + painted(look, Ink::kDim, padded(label, kLabelColumns)) + value + "\n";
}

std::string checkpoint_text(const std::string& file, std::int64_t step) {
  return neutral(file) + " (step " + count_text(step) + ")";
}

std::string digests_text(const std::string& stored, const std::string& trained) {
  return neutral(stored) + ", trained anew " + (trained.empty() ? "-" : neutral(trained));
}

std::string verdict_text(v1::Verdict verdict, const Look& look) {
  switch (verdict) {
    case v1::VERDICT_SAME:
      return painted(look, Ink::kGreen, "the same, to the last bit");
    case v1::VERDICT_CLOSE:
      return painted(look, Ink::kYellow, "as close as its device lets it be, not to the last bit");
    default:
      return painted(look, Ink::kRed, "DIFFERENT");
  }
}

// Small shares matter most: percent_text() would round them to nothing.
std::string distance_text(double distance) {
  if (!std::isfinite(distance)) return "not to be measured";
  char text[64];
  std::snprintf(text, sizeof text, "%.3g of the way from one checkpoint to the other", distance);
  return text;
}

std::string training_text(const v1::VerifyProgress& progress, const Look& look) {
  const std::int64_t all = progress.to_step() - progress.from_step();
  const std::int64_t done = progress.step() - progress.from_step();
  const double share = all > 0 ? static_cast<double>(done) / static_cast<double>(all) : 0;
  std::string text = "trained anew: " + count_text(done) + " of " + count_text(all) + " steps  " +
                     bar(share, kBarColumns, look);
  if (progress.seconds_left() >= 0) {
    text += "  about " + duration_text(progress.seconds_left()) + " left";
  }
  return text;
}

}  // namespace

std::string name_of(v1::Verdict verdict) {
  switch (verdict) {
    case v1::VERDICT_SAME:
      return "same";
    case v1::VERDICT_CLOSE:
      return "close";
    case v1::VERDICT_DIFFERENT:
      return "different";
    default:
      return "unknown";
  }
}

std::string render_verify(const v1::Run& run, const v1::VerifyResult& result, const Look& look) {
  std::string text = painted(look, Ink::kBold, neutral(run.name())) + "  " +
                     verdict_text(result.verdict(), look) + "\n";
  text += labelled(look, "from", checkpoint_text(result.from(), result.from_step()));
  text += labelled(look, "to", checkpoint_text(result.to(), result.to_step()));
  text += labelled(look, "trained",
                   count_text(result.to_step() - result.from_step()) + " steps, in " +
                       duration_text(result.seconds()) + ", on " + neutral(result.device()) + " (" +
                       neutral(result.device_name()) + ")");
  text += labelled(look, "weights", digests_text(result.digest(), result.trained_digest()));
  text += labelled(look, "optimizer",
                   digests_text(result.optimizer_digest(), result.trained_optimizer_digest()));
  if (result.distance() > 0) text += labelled(look, "apart", distance_text(result.distance()));
  for (const std::string& difference : result.differences()) {
    text += labelled(look, "differs", neutral(difference));
  }
  for (const std::string& note : result.notes()) text += labelled(look, "note", neutral(note));
  return text;
}

std::string verify_line(const v1::VerifyProgress& progress, const Look& look) {
  const auto words = [&]() -> std::string {
    switch (progress.phase()) {
      case v1::PHASE_INDEXING:
        return "reading the corpus";
      case v1::PHASE_TRAINING:
        return training_text(progress, look);
      case v1::PHASE_VALIDATING:
        return "validating, as the run did at the end of the epoch";
      case v1::PHASE_SAVING:
        return "saving what was trained, to compare it";
      default:
        return "reading the checkpoints";
    }
  };
  return clipped(words(), look.width, look.unicode);
}

}  // namespace traind
