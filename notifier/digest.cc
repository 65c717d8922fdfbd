#include "notifier/digest.h"

#include <algorithm>

#include "notifier/facts.h"
#include "notifier/figures.h"
#include "notifier/safe_text.h"

namespace traind {
namespace {

constexpr std::size_t kEpochsShown = 40;
constexpr std::size_t kIncidentsShown = 20;
constexpr std::size_t kIncidentShown = 300;  // code points

std::vector<int> epoch_numbers(const Report& report) {
  std::vector<int> epochs;
  for (const ToldMail& mail : report.told) {
    if (mail.kind == ReportKind::kEpoch) epochs.push_back(mail.epoch);
  }
  std::sort(epochs.begin(), epochs.end());
  return epochs;
}

// "epochs 5 to 44", "epoch 5"; empty = none.
std::string epoch_words(const Report& report) {
  const std::vector<int> epochs = epoch_numbers(report);
  if (epochs.empty()) return "";
  const std::string last = std::to_string(epochs.back());
  if (epochs.size() == 1) return "epoch " + last;
  return "epochs " + std::to_string(epochs.front()) + " to " + last;
}

// "2 restarts"; empty = none.
std::string counted(const Report& report, ReportKind kind) {
  const auto count = std::count_if(report.told.begin(), report.told.end(),
                                   [kind](const ToldMail& mail) { return mail.kind == kind; });
  if (count == 0) return "";
  return std::to_string(count) + " " + name_of(kind) + (count == 1 ? "" : "s");
}

// The subject without the words that stand in all of them.
std::string incident_words(const ToldMail& mail, const Report& report) {
  const std::string subject = one_line(mail.subject, kIncidentShown);
  const std::string start = "[traind] " + run_name_of(report) + " ";
  return subject.starts_with(start) ? subject.substr(start.size()) : subject;
}

ToldEpochRow row_of(const EpochDone& done) {
  ToldEpochRow row;
  row.epoch = std::to_string(done.epoch);
  row.loss = loss_words(done.train_loss);
  row.valid_loss = loss_words(done.valid_loss);
  row.exact = done.scores.examples > 0 ? percent_words(done.scores.exact) : "-";
  row.correction = done.scores.corrupted > 0 ? percent_words(done.scores.correction) : "-";
  return row;
}

}  // namespace

std::string digest_title_of(const Report& report) {
  const std::string epochs = epoch_words(report);
  if (epochs.empty()) return std::to_string(report.told.size()) + " mails in one";
  return epochs + " of " + std::to_string(report.run.train.epochs);
}

std::string stands_for_of(const Report& report) {
  if (report.told.empty()) return "";
  std::string words;
  for (const std::string& part : {epoch_words(report), counted(report, ReportKind::kRestart),
                                  counted(report, ReportKind::kWarning)}) {
    if (!part.empty()) words += (words.empty() ? "" : ", ") + part;
  }
  return "This mail stands for " + std::to_string(report.told.size()) +
         " that could not be sent in their time, the first of " +
         minute_words(report.told.front().written_micros) + ": " + words + ".";
}

bool stands_for(const Report& report, int epoch) {
  return std::any_of(report.told.begin(), report.told.end(), [epoch](const ToldMail& mail) {
    return mail.kind == ReportKind::kEpoch && mail.epoch == epoch;
  });
}

std::vector<std::string> told_incidents_of(const Report& report) {
  std::vector<std::string> lines;
  for (const ToldMail& mail : report.told) {
    if (mail.kind == ReportKind::kEpoch) continue;
    lines.push_back(minute_words(mail.written_micros) + ": " + incident_words(mail, report));
  }
  if (lines.size() <= kIncidentsShown) return lines;
  const std::size_t left_out = lines.size() - kIncidentsShown;
  lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(left_out));
  lines.insert(lines.begin(), "(" + std::to_string(left_out) + " before these)");
  return lines;
}

std::vector<ToldEpochRow> told_epochs_of(const Report& report) {
  std::vector<ToldEpochRow> rows;
  for (const EpochDone& done : report.epochs) {
    if (stands_for(report, done.epoch)) rows.push_back(row_of(done));
  }
  if (rows.size() <= kEpochsShown) return rows;
  std::vector<ToldEpochRow> some;
  for (std::size_t i = 0; i < kEpochsShown; ++i) {
    some.push_back(rows[i * (rows.size() - 1) / (kEpochsShown - 1)]);
  }
  return some;
}

}  // namespace traind
