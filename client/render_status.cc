#include "client/render_status.h"

#include <algorithm>
#include <cmath>

#include "client/figures.h"
#include "client/terminal_text.h"

namespace traind {

namespace {

constexpr int kLabelColumns = 20;

std::string labelled(const Look& look, const std::string& label, const std::string& value) {
  if (value.empty()) return "";
  return "  " + painted(look, Ink::kDim, padded(label, kLabelColumns)) + value + "\n";
}

Look at_daemon_time(const v1::GetStatusResponse& status, const Look& look) {
  Look result = look;
  if (status.now_micros() != 0) result.now_micros = status.now_micros();
  return result;
}

std::string epoch_line(const v1::GetStatusResponse& status, const Look& look) {
  const v1::Run& run = status.run();
  std::string text = std::to_string(run.epoch()) + " of " + std::to_string(run.epochs());
  if (status.has_progress() && status.progress().batches() > 0) {
    text += ", batch " + count_text(status.progress().batch()) + " of " +
            count_text(status.progress().batches());
    const int room = look.width - kLabelColumns - 2 - columns_of(text) - 2;
    if (room >= 16) text += "  " + bar(epoch_share(status), std::min(room, 32), look);
  }
  return text;
}

std::string loss_line(const v1::GetStatusResponse& status) {
  std::string text;
  if (status.loss_known()) text += loss_text(status.loss()) + " training";
  if (status.run().valid_loss_known()) {
    if (!text.empty()) text += ", ";
    text += loss_text(status.run().valid_loss()) + " validation (perplexity " +
            perplexity_text(status.run().valid_loss()) + ")";
  }
  return text;
}

std::string speed_line(const v1::GetStatusResponse& status) {
  if (!status.has_progress() || status.progress().examples_per_second() <= 0) return "";
  return speed_text(status.progress().examples_per_second()) + " examples/s, " +
         speed_text(status.progress().tokens_per_second()) + " tokens/s";
}

std::string figures_block(const v1::GetStatusResponse& status, const Look& look) {
  std::string text;
  if (status.loss_known()) {
    text += labelled(look, "accuracy", percent_text(status.accuracy()) + " of tokens");
  }
  const v1::Scores& scores = status.run().scores();
  if (!has_answers(scores)) return text;
  text += labelled(
      look, "exact match",
      percent_text(scores.exact()) + " of " + count_text(scores.examples()) + " held-out lines");
  text += labelled(look, "character accuracy", percent_text(scores.character_accuracy()));
  if (has_error_rates(scores)) {
    text += labelled(look, "error rates",
                     percent_text(scores.character_error_rate()) + " of characters, " +
                         percent_text(scores.word_error_rate()) + " of words");
  }
  if (has_bleu(scores)) {
    text += labelled(look, "BLEU",
                     bleu_text(scores.bleu()) + " (" + neutral(scores.bleu_signature()) + ")");
  }
  if (scores.corrupted() == 0) return text;
  text += labelled(look, "correction rate",
                   percent_text(scores.correction()) + " of " + count_text(scores.corrupted()) +
                       " corrupted lines");
  text += labelled(look, "copying the input",
                   percent_text(scores.copy_exact()) + " exact, " +
                       percent_text(scores.copy_character_accuracy()) + " of characters");
  return text;
}

// By what it is the best, because that need not be the loss.
std::string best_line(const v1::GetStatusResponse& status) {
  if (!status.has_best_checkpoint()) return "";
  const v1::Checkpoint& best = status.best_checkpoint();
  std::string text = neutral(best.file()) + " (epoch " + std::to_string(best.epoch());
  if (status.run().measure() != v1::MEASURE_UNSPECIFIED) {
    text += ", by " + words_of(status.run().measure());
  }
  return text + ")";
}

}  // namespace

Ink ink_of(v1::RunState state) {
  switch (state) {
    case v1::RUN_STATE_RUNNING:
    case v1::RUN_STATE_COMPLETED:
      return Ink::kGreen;
    case v1::RUN_STATE_FAILED:
      return Ink::kRed;
    case v1::RUN_STATE_STALLED:
    case v1::RUN_STATE_PREEMPTED:
    case v1::RUN_STATE_STOPPING:
    case v1::RUN_STATE_STOPPED:
      return Ink::kYellow;
    default:
      return Ink::kCyan;
  }
}

std::string headline(const v1::Run& run, const Look& look) {
  const std::string state = painted(look, ink_of(run.state()), name_of(run.state()));
  const std::string reason = run.reason().empty() ? "" : ": " + neutral(run.reason());
  return painted(look, Ink::kBold, neutral(run.name())) + "  " + state + reason;
}

std::string bar(double share, int columns, const Look& look) {
  const double whole = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0.0;
  char percent[16];
  // Rounded down: 100 % is for what is done.
  std::snprintf(percent, sizeof(percent), " %3d %%", static_cast<int>(whole * 100 + 1e-9));
  const int cells = std::max(columns - 6 - (look.unicode ? 0 : 2), 1);
  const auto full = static_cast<int>(whole * cells + 1e-9);
  std::string text;
  if (look.unicode) {
    std::string done;
    std::string rest;
    for (int i = 0; i < full; ++i) done += "█";
    for (int i = full; i < cells; ++i) rest += "░";
    text = painted(look, Ink::kGreen, done) + painted(look, Ink::kDim, rest);
  } else {
    text = "[" + std::string(static_cast<std::size_t>(full), '#') +
           std::string(static_cast<std::size_t>(cells - full), '-') + "]";
  }
  return text + percent;
}

double epoch_share(const v1::GetStatusResponse& status) {
  const v1::Progress& progress = status.progress();
  if (status.run().state() == v1::RUN_STATE_COMPLETED) return 1;
  if (progress.batches() <= 0) return 0;
  return static_cast<double>(progress.batch()) / static_cast<double>(progress.batches());
}

double run_share(const v1::GetStatusResponse& status) {
  const v1::Run& run = status.run();
  if (run.state() == v1::RUN_STATE_COMPLETED) return 1;
  if (run.epochs() <= 0 || run.epoch() <= 0) return 0;
  return (run.epoch() - 1 + epoch_share(status)) / run.epochs();
}

std::string time_line(const v1::GetStatusResponse& status, const Look& look) {
  const Look then = at_daemon_time(status, look);
  std::string text;
  if (status.trained_seconds() > 0) text = duration_text(status.trained_seconds()) + " trained";
  const auto add = [&text](const std::string& more) { text += (text.empty() ? "" : ", ") + more; };
  if (has_ended(status.run().state())) {
    if (status.run().finished_micros() != 0) {
      add(name_of(status.run().state()) + " " + age_text(status.run().finished_micros(), then));
    }
    return text;
  }
  if (status.seconds_left() >= 0 && status.has_progress()) {
    add("about " + duration_text(status.seconds_left()) + " left");
    if (status.finish_micros() != 0) {
      add("done at " + (look.terminal ? moment_text(status.finish_micros(), then.now_micros)
                                      : utc_seconds(status.finish_micros())));
    }
  }
  return text;
}

std::string device_line(const v1::GetStatusResponse& status) {
  if (status.device().empty()) return "";
  std::string text = neutral(status.device());
  if (!status.device_name().empty()) text += " (" + neutral(status.device_name()) + ")";
  if (!status.device_reason().empty()) text += ": " + neutral(status.device_reason());
  return text;
}

std::string mail_line(const v1::GetStatusResponse& status) {
  std::string text;
  if (status.mails_waiting() > 0) text = std::to_string(status.mails_waiting()) + " waiting";
  if (status.mails_dead() > 0) {
    text += (text.empty() ? "" : ", ") + std::to_string(status.mails_dead()) + " dead";
  }
  if (!text.empty() && !status.mail_error().empty()) text += ": " + neutral(status.mail_error());
  return text;
}

std::string checkpoint_line(const v1::GetStatusResponse& status, const Look& look) {
  if (!status.has_checkpoint()) return "none yet";
  const v1::Checkpoint& newest = status.checkpoint();
  return neutral(newest.file()) + ", " +
         age_text(newest.saved_micros(), at_daemon_time(status, look)) + " (epoch " +
         std::to_string(newest.epoch()) + ", step " + count_text(newest.step()) + ", " +
         bytes_text(newest.bytes()) + ")";
}

std::string render_status(const v1::GetStatusResponse& status, const Look& look) {
  std::string text = headline(status.run(), look) + "\n";
  if (status.run().epochs() > 0) text += labelled(look, "epoch", epoch_line(status, look));
  text += labelled(look, "loss", loss_line(status));
  text += figures_block(status, look);
  if (status.learning_rate() > 0) {
    text += labelled(look, "learning rate", rate_text(status.learning_rate()));
  }
  for (const v1::SettingChanged& change : status.changes()) {
    text += labelled(look, "changed",
                     "at step " + count_text(change.step()) + ": " + change_text(change));
  }
  text += labelled(look, "speed", speed_line(status));
  text += labelled(look, "time", time_line(status, look));
  text += labelled(look, "checkpoint", checkpoint_line(status, look));
  text += labelled(look, "best checkpoint", best_line(status));
  text += labelled(look, "weights' digest", neutral(status.digest()));
  text += labelled(look, "started from", neutral(status.run().started_from()));
  text += labelled(look, "device", device_line(status));
  text += labelled(look, "gpu", gauges_text(status.progress()));
  if (status.run().restarts() > 0) {
    text += labelled(look, "restarts", std::to_string(status.run().restarts()));
  }
  for (const std::string& trouble : status.troubles()) {
    text += labelled(look, "trouble", painted(look, Ink::kYellow, neutral(trouble)));
  }
  const std::string mail = mail_line(status);
  text += labelled(look, "mail", painted(look, Ink::kYellow, mail));
  if (status.run().state() == v1::RUN_STATE_FAILED) {
    text += labelled(look, "worker's log", neutral(status.worker_log()));
  }
  return text;
}

}  // namespace traind
