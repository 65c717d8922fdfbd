#include "client/watch_view.h"

#include <algorithm>

#include "client/event_line.h"
#include "client/figures.h"
#include "client/render_status.h"
#include "client/terminal_text.h"

namespace traind {

namespace {

constexpr std::size_t kEventsKept = 6;
constexpr int kTextColumns = 52;  // what stands beside a bar
constexpr int kSmallestPlot = 7;

v1::Checkpoint checkpoint_of(const v1::WatchRunResponse& event) {
  const v1::CheckpointSaved& saved = event.checkpoint_saved();
  v1::Checkpoint checkpoint;
  checkpoint.set_file(saved.file());
  checkpoint.set_step(saved.step());
  checkpoint.set_epoch(saved.epoch());
  checkpoint.set_reason(saved.reason());
  checkpoint.set_bytes(saved.bytes());
  checkpoint.set_digest(saved.digest());
  checkpoint.set_best(saved.best());
  checkpoint.set_saved_micros(event.time_micros());
  return checkpoint;
}

std::string figures_line(const v1::GetStatusResponse& status) {
  std::string text;
  const auto add = [&text](const std::string& more) { text += (text.empty() ? "" : "   ") + more; };
  if (status.loss_known()) add("loss " + loss_text(status.loss()));
  if (status.run().valid_loss_known()) {
    add("validation " + loss_text(status.run().valid_loss()) + ", perplexity " +
        perplexity_text(status.run().valid_loss()));
  }
  if (status.loss_known()) add("accuracy " + percent_text(status.accuracy()));
  if (status.learning_rate() > 0) add("rate " + rate_text(status.learning_rate()));
  return text;
}

std::string scores_line(const v1::Run& run) {
  const v1::Scores& scores = run.scores();
  if (!has_answers(scores)) return "";
  const std::string text = "held out: exact " + percent_text(scores.exact()) + "   characters " +
                           percent_text(scores.character_accuracy());
  if (scores.corrupted() > 0) {
    return text + "   corrections " + percent_text(scores.correction()) + "   copying " +
           percent_text(scores.copy_exact());
  }
  return text + (has_bleu(scores) ? "   BLEU " + bleu_text(scores.bleu()) : "");
}

std::string batch_text(const v1::Progress& progress) {
  if (progress.batches() <= 0) return "";
  std::string text =
      "batch " + count_text(progress.batch()) + " of " + count_text(progress.batches());
  if (progress.phase() == v1::PHASE_TRAINING) return text;
  return text + ", " + name_of(progress.phase());
}

std::string speed_line(const v1::GetStatusResponse& status) {
  const v1::Progress& progress = status.progress();
  std::string text;
  if (progress.examples_per_second() > 0) {
    text = speed_text(progress.examples_per_second()) + " examples/s, " +
           speed_text(progress.tokens_per_second()) + " tokens/s";
  }
  if (status.device().empty()) return text;
  text += (text.empty() ? "on " : " on ") + neutral(status.device());
  if (!status.device_name().empty()) text += " (" + neutral(status.device_name()) + ")";
  return text;
}

std::vector<Point> points_of(const std::map<std::int64_t, Point>& by_step) {
  std::vector<Point> points;
  points.reserve(by_step.size());
  for (const auto& [step, point] : by_step) points.push_back(point);
  return points;
}

}  // namespace

WatchView::WatchView(const v1::GetStatusResponse& status, std::string where)
    : status_(status), where_(std::move(where)) {}

void WatchView::set_status(const v1::GetStatusResponse& status) {
  status_ = status;
  lost_.clear();
}

void WatchView::apply(const v1::WatchRunResponse& event) {
  if (event.has_metric_row()) {
    const v1::MetricRow& row = event.metric_row();
    training_[row.step()] = {row.step(), row.loss()};
    if (row.valid_loss() > 0) validation_[row.step()] = {row.step(), row.valid_loss()};
  } else if (!event_text(event).empty()) {
    events_.push_back(event);
    if (events_.size() > kEventsKept) events_.pop_front();
  }
  // The status is newer than the history that is told again at the beginning.
  if (event.sequence() == 0 || event.sequence() > status_.last_sequence()) update(event);
}

void WatchView::update(const v1::WatchRunResponse& event) {
  v1::Run& run = *status_.mutable_run();
  status_.set_now_micros(std::max(status_.now_micros(), event.time_micros()));
  if (event.sequence() != 0) status_.set_last_sequence(event.sequence());
  if (event.has_state_change()) {
    run.set_state(event.state_change().state());
    run.set_reason(event.state_change().reason());
  } else if (event.has_run_started()) {
    status_.set_device(event.run_started().device());
    status_.set_device_name(event.run_started().device_name());
    status_.set_device_reason(event.run_started().device_reason());
    run.set_epochs(event.run_started().epochs());
    run.set_started_from(event.run_started().started_from());
  } else if (event.has_progress()) {
    *status_.mutable_progress() = event.progress();
    run.set_epoch(event.progress().epoch());
    run.set_step(event.progress().step());
    status_.set_trained_seconds(event.progress().trained_seconds());
    status_.set_seconds_left(event.progress().seconds_left());
    const double left = event.progress().seconds_left();
    status_.set_finish_micros(
        left < 0 ? 0 : status_.now_micros() + static_cast<std::int64_t>(left * 1e6));
  } else if (event.has_metric_row()) {
    status_.set_loss(event.metric_row().loss());
    status_.set_accuracy(event.metric_row().accuracy());
    status_.set_learning_rate(event.metric_row().rate());
    status_.set_loss_known(true);
  } else if (event.has_epoch_done()) {
    run.set_valid_loss(event.epoch_done().valid_loss());
    run.set_valid_loss_known(true);
    *run.mutable_scores() = event.epoch_done().scores();
    run.set_measure(event.epoch_done().measure());
  } else if (event.has_setting_changed()) {
    *status_.add_changes() = event.setting_changed();
  } else if (event.has_checkpoint_saved()) {
    *status_.mutable_checkpoint() = checkpoint_of(event);
    status_.set_digest(event.checkpoint_saved().digest());
  }
}

std::vector<std::string> WatchView::header(int columns, const Look& look) const {
  const v1::Run& run = status_.run();
  std::vector<std::string> lines = {headline(run, look)};
  if (!lost_.empty()) {
    lines.push_back(
        painted(look, Ink::kYellow, "reconnecting to traind at " + neutral(where_) + ": " + lost_));
  }
  if (run.epochs() > 0) {
    const std::string epoch =
        "epoch " + std::to_string(run.epoch()) + "/" + std::to_string(run.epochs()) + " ";
    const int label = columns_of(epoch);
    const int room = std::clamp(columns - label - kTextColumns, 18, 40);
    lines.push_back(epoch + bar(epoch_share(status_), room, look) + "  " +
                    batch_text(status_.progress()));
    lines.push_back(padded("run", label) + bar(run_share(status_), room, look) + "  " +
                    time_line(status_, look));
  }
  const std::string mail = mail_line(status_);
  const std::string gauges = gauges_text(status_.progress());
  for (const std::string& line :
       {figures_line(status_), scores_line(run), speed_line(status_),
        gauges.empty() ? "" : "gpu " + gauges,
        status_.has_checkpoint() ? "checkpoint " + checkpoint_line(status_, look) : "",
        mail.empty() ? "" : painted(look, Ink::kYellow, "mail " + mail)}) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> WatchView::frame(PlotSize size, const Look& look) const {
  std::vector<std::string> lines = header(size.columns, look);
  const auto used = [&lines] { return static_cast<int>(lines.size()); };
  const int events = std::min({static_cast<int>(events_.size()), size.rows / 5});
  const int room = size.rows - used() - events - 2;
  if (room >= kSmallestPlot) {
    lines.emplace_back();
    const Curves curves{points_of(training_), points_of(validation_)};
    for (std::string& line : plot(curves, {size.columns, room}, Scale::kLinear, look)) {
      lines.push_back(std::move(line));
    }
  }
  for (auto event = events_.end() - events; event != events_.end(); ++event) {
    std::string line = event_line(*event, look);
    line.pop_back();
    lines.push_back(std::move(line));
  }
  lines.push_back(painted(look, Ink::kDim, "q quits; the run goes on"));
  if (used() > size.rows) lines.resize(static_cast<std::size_t>(std::max(size.rows, 0)));
  for (std::string& line : lines) line = fitted(line, size.columns, look.unicode);
  return lines;
}

}  // namespace traind
