#include "notifier/facts.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "model/base/clock.h"
#include "notifier/digest.h"
#include "notifier/figures.h"
#include "notifier/safe_text.h"

namespace traind {
namespace {

// How much of a text from outside a mail shows, in code points.
constexpr std::size_t kNameShown = 64;
constexpr std::size_t kSettingShown = 60;
constexpr std::size_t kSentenceShown = 500;
constexpr std::size_t kSampleShown = 400;
// How many of a list.
constexpr std::size_t kRowsAtEachEnd = 5;
constexpr std::size_t kEpochsShown = 8;
constexpr std::size_t kSamplesShown = 3;
constexpr std::size_t kLogLinesShown = 50;

const EpochDone* last_epoch(const Report& report) {
  return report.epochs.empty() ? nullptr : &report.epochs.back();
}

// Appends, unless there is nothing to tell.
void tell(std::vector<Fact>& facts, const char* label, const std::string& value) {
  if (!value.empty()) facts.push_back({label, value});
}

std::string count_or_nothing(std::int64_t count) { return count > 0 ? grouped(count) : ""; }

std::string batch_line(const MetricRow& row, int epochs) {
  char line[256];
  std::snprintf(line, sizeof line,
                "Epoch %3d/%d Batch %6lld/%lld Inputs (000) %7lld - Loss: %6.3f"
                " - Validation loss: %6.3f",
                row.epoch, epochs, static_cast<long long>(row.batch),
                static_cast<long long>(row.batches_per_epoch),
                static_cast<long long>(row.inputs / 1000), row.loss, row.valid_loss);
  return line;
}

FigureRow figure_row(const EpochDone& done) {
  const Scores& scores = done.scores;
  FigureRow row;
  row.epoch = std::to_string(done.epoch);
  row.best = done.best;
  row.exact = row.characters = row.correction = row.copying = "-";
  if (scores.examples > 0) {
    row.exact = percent_words(scores.exact);
    row.characters = percent_words(scores.character_accuracy);
    row.copying = percent_words(scores.copy_exact);
  }
  if (scores.corrupted > 0) row.correction = percent_words(scores.correction);
  return row;
}

std::string batch_words(const TrainSection& train) {
  if (train.batch_tokens > 0) return "at most " + grouped(train.batch_tokens) + " tokens";
  return train.batch_size == kFitBatch ? "what fits" : std::to_string(train.batch_size);
}

double trained_seconds_of(const Report& report) {
  const EpochDone* done = last_epoch(report);
  return report.trained_seconds > 0 || !done ? report.trained_seconds : done->trained_seconds;
}

std::string rate_of(const Report& report) {
  double examples = 0;
  double tokens = 0;
  if (const EpochDone* done = last_epoch(report)) {
    examples = done->examples_per_second;
    tokens = done->tokens_per_second;
  } else if (!report.rows.empty()) {
    examples = report.rows.back().examples_per_second;
    tokens = report.rows.back().tokens_per_second;
  }
  if (!(examples > 0) || !(examples < 1e15) || !(tokens >= 0) || !(tokens < 1e15)) return "";
  return grouped(std::llround(examples)) + " examples/s, " + grouped(std::llround(tokens)) +
         " tokens/s";
}

// The name if a shell takes it as one plain word, else the id, which always is one.
std::string word_for_shell(const Report& report) {
  const auto is_plain = [](const std::string& word) {
    return !word.empty() && word.size() <= kNameShown && word.front() != '-' &&
           word.find_first_not_of(
               "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
               "._-") == std::string::npos;
  };
  if (is_plain(report.run.name)) return " " + report.run.name;
  return is_plain(report.run_id) ? " " + report.run_id : "";
}

std::string epoch_of_epochs(const EpochDone& done, const char* between) {
  return std::to_string(done.epoch) + between + std::to_string(done.epochs);
}

std::string scores_in_subject(const EpochDone& done) {
  std::string words = "loss " + loss_words(done.train_loss);
  if (done.scores.examples > 0) return words + ", exact " + percent_words(done.scores.exact);
  return words + ", perplexity " + perplexity_words(done.valid_loss);
}

std::string error_rates_of(const Scores& scores) {
  if (scores.examples <= 0 || !std::isfinite(scores.character_error_rate) ||
      !std::isfinite(scores.word_error_rate)) {
    return "";
  }
  std::string words = percent_words(scores.character_error_rate) + " of characters, " +
                      percent_words(scores.word_error_rate) + " of words";
  if (scores.bleu_signature.empty() || !std::isfinite(scores.bleu)) return words;
  char bleu[32];
  std::snprintf(bleu, sizeof bleu, "; BLEU %.2f", scores.bleu);
  return words + bleu;
}

void tell_losses(std::vector<Fact>& facts, const EpochDone& done) {
  const bool best_by_loss = done.best && done.measure == Measure::kLoss;
  tell(facts, "Loss", loss_words(done.train_loss));
  tell(facts, "Validation loss",
       loss_words(done.valid_loss) + (best_by_loss ? " (best so far)" : ""));
  tell(facts, "Perplexity", perplexity_words(done.valid_loss));
  tell(facts, "Error rates", error_rates_of(done.scores));
  if (done.best && !best_by_loss) tell(facts, "Best so far", "by " + measure_words(done.measure));
  tell(facts, "Learning rate now", short_number(done.rate));
}

// What was changed on request and is true of this epoch for the first time.
void tell_changes(std::vector<Fact>& facts, const Report& report) {
  const EpochDone* done = last_epoch(report);
  if (!done) return;
  const auto is_told = [&](int epoch) {
    return report.kind == ReportKind::kEpoch ? epoch == done->epoch : stands_for(report, epoch);
  };
  for (const SettingChanged& change : report.changes) {
    if (!is_told(change.epoch)) continue;
    tell(facts, "Changed",
         one_line(change.key, kSettingShown) + " " + one_line(change.was, kSettingShown) + " -> " +
             one_line(change.is, kSettingShown) + " at step " + grouped(change.step));
  }
}

}  // namespace

bool is_about_trouble(ReportKind kind) {
  return kind == ReportKind::kFailure || kind == ReportKind::kRestart ||
         kind == ReportKind::kWarning;
}

std::string run_name_of(const Report& report) {
  const std::string name = one_line(report.run.name, kNameShown);
  return name.empty() ? "run" : name;
}

std::string subject_of(const Report& report) {
  constexpr std::size_t kReasonShown = 60;
  const EpochDone* done = last_epoch(report);
  const std::string start = "[traind] " + run_name_of(report) + " ";
  const std::string reason = one_line(report.reason, kReasonShown);
  const std::string because = reason.empty() ? "" : ": " + reason;
  switch (report.kind) {
    case ReportKind::kStart:
      return start +
             (report.started.resumed_step >= 0
                  ? "goes on from step " + std::to_string(report.started.resumed_step)
                  : "started: " + std::to_string(report.run.train.epochs) + " epochs") +
             (report.started.device.empty() ? "" : " on " + one_line(report.started.device, 16));
    case ReportKind::kEpoch:
      if (!done) return start + "epoch done";
      return start + "epoch " + epoch_of_epochs(*done, "/") + ": " + scores_in_subject(*done);
    case ReportKind::kEnd:
      if (!done) return start + "ended" + because;
      return start + "ended at epoch " + epoch_of_epochs(*done, "/") + ": " +
             scores_in_subject(*done);
    case ReportKind::kFailure:
      return start + "failed" + because;
    case ReportKind::kRestart:
      return start + "restarted (" + std::to_string(report.restarts) + ")" + because;
    case ReportKind::kWarning:
      return start + "warning" + because;
    case ReportKind::kDigest:
      return start + digest_title_of(report) + (done ? ": " + scores_in_subject(*done) : "");
    case ReportKind::kTest:
      break;
  }
  return "[traind] test mail from " + one_line(report.host, kNameShown);
}

std::string headline_of(const Report& report) {
  const EpochDone* done = last_epoch(report);
  const std::string start = run_name_of(report) + ": ";
  switch (report.kind) {
    case ReportKind::kStart:
      if (report.started.resumed_step < 0) return start + "training has begun";
      return start + "training goes on from step " + grouped(report.started.resumed_step);
    case ReportKind::kEpoch:
      return start + (done ? "epoch " + epoch_of_epochs(*done, " of ") + " is done" : "epoch done");
    case ReportKind::kEnd:
      return start + (done ? "training ended at epoch " + epoch_of_epochs(*done, " of ")
                           : "training ended");
    case ReportKind::kFailure:
      return start + "training failed";
    case ReportKind::kRestart:
      return start + "the worker was started again (restart " + std::to_string(report.restarts) +
             ")";
    case ReportKind::kWarning:
      return start + "training goes on, but something needs a look";
    case ReportKind::kDigest:
      return start + digest_title_of(report);
    case ReportKind::kTest:
      break;
  }
  return "Mail from traind arrives";
}

std::string whereabouts_of(const Report& report) {
  std::string words;
  const auto add = [&words](const std::string& part) {
    if (!part.empty()) words += (words.empty() ? "" : ", ") + part;
  };
  if (!report.run_id.empty()) add("Run " + one_line(report.run_id, kNameShown));
  if (!report.host.empty()) {
    add((report.run_id.empty() ? "From " : "on ") + one_line(report.host, kNameShown));
  }
  if (!report.started.device.empty()) {
    add(one_line(report.started.device, 16) + " (" +
        one_line(report.started.device_name, kNameShown) + ")");
  }
  return words;
}

std::vector<Fact> hyperparameters_of(const Report& report) {
  const ModelSection& model = report.run.model;
  const TrainSection& train = report.run.train;
  const std::string embedding =
      std::to_string(model.embedding > 0 ? model.embedding : model.hidden);
  std::vector<Fact> facts;
  const bool encodes = model.kind == ModelKind::kSeq2seq;
  tell(facts, "Epochs", std::to_string(train.epochs));
  tell(facts, "Batch size", batch_words(train));
  if (!encodes) tell(facts, "Model", "language model");
  if (model.cell == CellKind::kGru) tell(facts, "Cell", "GRU");
  tell(facts, "RNN size", std::to_string(model.hidden));
  tell(facts, "Layers", std::to_string(model.layers));
  if (encodes) tell(facts, "Encoding embedding size", embedding);
  tell(facts, encodes ? "Decoding embedding size" : "Embedding size", embedding);
  tell(facts, "Keep probability", short_number(1 - model.dropout));
  tell(facts, "Learning rate", short_number(train.learning_rate));
  tell(facts, "Gradient norm limit", train.clip_norm > 0 ? short_number(train.clip_norm) : "none");
  if (encodes) tell(facts, "Bidirectional encoder", model.bidirectional ? "yes" : "no");
  if (encodes) tell(facts, "Attention", model.attention ? "yes" : "no");
  // A CPU computes in float32 whatever is asked for.
  if (report.started.device == "cuda") tell(facts, "Precision", train.precision);
  tell(facts, "Seed", std::to_string(report.run.seed));
  tell(facts, "Parameters", count_or_nothing(report.started.parameters));
  tell(facts, "Training examples", count_or_nothing(report.started.train_examples));
  tell(facts, "Held-out examples", count_or_nothing(report.started.valid_examples));
  tell(facts, "Lines skipped as bad", count_or_nothing(report.started.skipped_lines));
  return facts;
}

std::vector<std::string> batch_lines_of(const Report& report) {
  std::vector<std::string> lines;
  const std::size_t count = report.rows.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (count > 2 * kRowsAtEachEnd && i == kRowsAtEachEnd) {
      lines.emplace_back("...");
      i = count - kRowsAtEachEnd;
    }
    lines.push_back(batch_line(report.rows[i], report.run.train.epochs));
  }
  return lines;
}

std::vector<std::string> result_lines_of(const Report& report) {
  std::vector<std::string> lines;
  const double seconds = trained_seconds_of(report);
  if (seconds > 0) {
    const bool saved = report.kind == ReportKind::kEpoch || report.kind == ReportKind::kDigest ||
                       report.kind == ReportKind::kEnd;
    lines.push_back("Model training for " + duration_words(seconds) +
                    (saved ? " and saved." : "."));
  }
  const EpochDone* done = last_epoch(report);
  if (done && done->scores.examples > 0) {
    char line[64];
    std::snprintf(line, sizeof line, "Current accuracy = %.1f%%", done->scores.exact * 100);
    lines.emplace_back(line);
  }
  return lines;
}

std::string held_out_of(const Report& report) {
  const EpochDone* done = last_epoch(report);
  if (!done || done->scores.examples <= 0) return "";
  std::string words = grouped(done->scores.examples) + " held-out examples";
  if (done->scores.corrupted <= 0) return words;
  return words + ", " + grouped(done->scores.corrupted) + " of them with errors in the input";
}

std::vector<FigureRow> figures_of(const Report& report) {
  std::vector<FigureRow> rows;
  if (report.kind == ReportKind::kDigest) return rows;
  const bool answered = std::any_of(report.epochs.begin(), report.epochs.end(),
                                    [](const EpochDone& done) { return done.scores.examples > 0; });
  if (!answered) return rows;
  const std::size_t count = report.epochs.size();
  for (std::size_t i = count - std::min(count, kEpochsShown); i < count; ++i) {
    rows.push_back(figure_row(report.epochs[i]));
  }
  return rows;
}

std::vector<Fact> standing_of(const Report& report) {
  std::vector<Fact> facts;
  if (report.kind == ReportKind::kTest) return facts;
  if (report.kind != ReportKind::kStart) {
    tell(facts, report.kind == ReportKind::kWarning ? "What happened" : "Reason",
         one_line(report.reason, kSentenceShown));
  }
  tell(facts, "What happens next", one_line(report.what_next, kSentenceShown));
  const EpochDone* done = last_epoch(report);
  if (done) tell_losses(facts, *done);
  tell(facts, "Rate", rate_of(report));
  if (report.seconds_left >= 0 && report.kind != ReportKind::kEnd) {
    tell(facts, "Time left", duration_words(report.seconds_left));
  }
  if (report.finish_micros > 0 && report.kind != ReportKind::kEnd) {
    tell(facts, "Expected finish", minute_words(report.finish_micros));
  }
  if (report.kind == ReportKind::kStart) {
    tell(facts, "Why this device", one_line(report.started.device_reason, kSentenceShown));
  }
  tell_changes(facts, report);
  const bool resumed = report.started.resumed_step >= 0;
  if (report.kind == ReportKind::kStart && !resumed) {
    tell(facts, "Begins with weights of", one_line(report.started.started_from, 100));
  }
  tell(facts, "Went on from", resumed ? one_line(report.started.resumed_from, 100) : "");
  const bool in_trouble = is_about_trouble(report.kind);
  const std::string checkpoint = one_line(report.checkpoint, 100);
  tell(facts, in_trouble ? "Newest good checkpoint" : "Checkpoint",
       checkpoint.empty() && in_trouble ? "none" : checkpoint);
  if (done) tell(facts, "Digest of the weights", one_line(done->digest, 32));
  if (report.restarts > 0) tell(facts, "Worker restarts", std::to_string(report.restarts));
  return facts;
}

std::vector<SampleWords> samples_of(const Report& report) {
  std::vector<SampleWords> words;
  const EpochDone* done = last_epoch(report);
  if (!done) return words;
  for (const Sample& sample : done->samples) {
    if (words.size() == kSamplesShown) break;
    words.push_back({sample.right(), one_line(sample.source, kSampleShown),
                     one_line(sample.output, kSampleShown), one_line(sample.target, kSampleShown)});
  }
  return words;
}

std::vector<std::string> log_lines_of(const Report& report, std::size_t columns) {
  std::vector<std::string> lines;
  const std::size_t count = report.log_tail.size();
  for (std::size_t i = count - std::min(count, kLogLinesShown); i < count; ++i) {
    std::string_view line = report.log_tail[i];
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    lines.push_back(one_line(line, columns));
  }
  return lines;
}

std::vector<std::string> commands_of(const Report& report) {
  if (report.kind == ReportKind::kTest) return {};
  const std::string run = word_for_shell(report);
  std::vector<std::string> commands = {"trainctl status" + run};
  if (is_about_trouble(report.kind)) {
    commands.push_back("trainctl logs" + run);
  }
  return commands;
}

}  // namespace traind
