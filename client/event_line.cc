#include "client/event_line.h"

#include "client/figures.h"
#include "client/terminal_text.h"

namespace traind {

namespace {

std::string text_of(const v1::RunStarted& started) {
  std::string text = "started    on " + neutral(started.device());
  if (!started.device_name().empty()) text += " (" + neutral(started.device_name()) + ")";
  text += ", " + count_text(started.parameters()) + " parameters, " +
          count_text(started.train_examples()) + " examples, " +
          count_text(started.valid_examples()) + " held out";
  if (started.skipped_lines() > 0) {
    text += ", " + count_text(started.skipped_lines()) + " lines skipped";
  }
  if (started.resumed_step() >= 0) {
    text += "; goes on from step " + count_text(started.resumed_step()) + " (" +
            neutral(started.resumed_from()) + ")";
  } else if (!started.started_from().empty()) {
    text += "; begins with the weights of " + neutral(started.started_from());
  }
  return text;
}

std::string text_of(const v1::MetricRow& row) {
  std::string text = "metrics    epoch " + std::to_string(row.epoch()) + " batch " +
                     std::to_string(row.batch()) + "/" + std::to_string(row.batches_per_epoch()) +
                     " loss " + loss_text(row.loss()) + " accuracy " + percent_text(row.accuracy());
  if (row.valid_loss() > 0) text += " validation loss " + loss_text(row.valid_loss());
  return text;
}

std::string text_of(const v1::Scores& scores) {
  if (!has_answers(scores)) return "";
  std::string text = ", exact " + percent_text(scores.exact()) + ", characters " +
                     percent_text(scores.character_accuracy());
  if (has_error_rates(scores)) {
    text += ", CER " + percent_text(scores.character_error_rate()) + ", WER " +
            percent_text(scores.word_error_rate());
  }
  if (has_bleu(scores)) text += ", BLEU " + bleu_text(scores.bleu());
  if (scores.corrupted() > 0) {
    text += ", corrections " + percent_text(scores.correction()) +
            " (copying: " + percent_text(scores.copy_exact()) + ")";
  }
  return text;
}

std::string text_of(const v1::EpochDone& done) {
  std::string text =
      "epoch      " + std::to_string(done.epoch()) + " of " + std::to_string(done.epochs()) +
      " done in " + duration_text(done.epoch_seconds()) + ": loss " + loss_text(done.train_loss()) +
      ", validation loss " + loss_text(done.valid_loss()) + ", perplexity " +
      perplexity_text(done.valid_loss()) + text_of(done.scores());
  return done.best() ? text + "; the best so far by " + words_of(done.measure()) : text;
}

std::string text_of(const v1::CheckpointSaved& saved) {
  return "checkpoint " + neutral(saved.file()) + " (" + name_of(saved.reason()) + ", " +
         bytes_text(saved.bytes()) + ", digest " + neutral(saved.digest()) + ")" +
         (saved.best() ? "; the best so far" : "");
}

std::string text_of(const v1::StateChange& change) {
  return padded(name_of(change.state()), 10) + " " + neutral(change.reason());
}

}  // namespace

std::string event_text(const v1::WatchRunResponse& event) {
  switch (event.event_case()) {
    case v1::WatchRunResponse::kStateChange:
      return text_of(event.state_change());
    case v1::WatchRunResponse::kRunStarted:
      return text_of(event.run_started());
    case v1::WatchRunResponse::kMetricRow:
      return text_of(event.metric_row());
    case v1::WatchRunResponse::kEpochDone:
      return text_of(event.epoch_done());
    case v1::WatchRunResponse::kCheckpointSaved:
      return text_of(event.checkpoint_saved());
    case v1::WatchRunResponse::kSettingChanged:
      return "changed    " + change_text(event.setting_changed()) + " from step " +
             count_text(event.setting_changed().step()) + " on";
    case v1::WatchRunResponse::kNotice:
      return "notice     " + neutral(event.notice().text());
    case v1::WatchRunResponse::kProgress:
    case v1::WatchRunResponse::kHeartbeat:
    case v1::WatchRunResponse::EVENT_NOT_SET:
      return "";
  }
  return "";
}

std::string event_line(const v1::WatchRunResponse& event, const Look& look) {
  const std::string text = event_text(event);
  if (text.empty()) return "";
  const std::string when =
      look.terminal ? clock_text(event.time_micros()) : utc_seconds(event.time_micros());
  return painted(look, Ink::kDim, when) + "  " + text + "\n";
}

}  // namespace traind
