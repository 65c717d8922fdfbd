#include "notifier/mail_text.h"

#include <algorithm>

#include "notifier/digest.h"
#include "notifier/facts.h"
#include "notifier/safe_text.h"

namespace traind {
namespace {

constexpr std::size_t kWidth = 78;
constexpr std::size_t kLogColumns = 400;

std::string padded_left(const std::string& text, std::size_t width) {
  const std::size_t size = code_points_of(text);
  return std::string(width > size ? width - size : 0, ' ') + text;
}

std::string padded_right(const std::string& text, std::size_t width) {
  const std::size_t size = code_points_of(text);
  return text + std::string(width > size ? width - size : 0, ' ');
}

// Label, then the value in one column; a long value goes on below itself.
std::string aligned(const std::vector<Fact>& facts) {
  std::size_t label_width = 0;
  for (const Fact& fact : facts) {
    label_width = std::max(label_width, code_points_of(fact.label));
  }
  const std::size_t indent = 2 + label_width + 2;
  std::string text;
  for (const Fact& fact : facts) {
    std::string label = "  " + padded_right(fact.label, label_width + 2);
    for (const std::string& line : wrapped(fact.value, kWidth - indent)) {
      text += label + line + "\n";
      label = std::string(indent, ' ');
    }
  }
  return text;
}

std::string hyperparameters(const Report& report) {
  return "Hyperparameters\n" + aligned(hyperparameters_of(report));
}

std::string joined(const std::vector<std::string>& lines, const std::string& indent = "") {
  std::string text;
  for (const std::string& line : lines) text += indent + line + "\n";
  return text;
}

// The four figures side by side, a line an epoch.
std::string figures(const Report& report) {
  const std::vector<FigureRow> rows = figures_of(report);
  if (rows.empty()) return "";
  const std::string held_out = held_out_of(report);
  std::string text = held_out.empty() ? "" : held_out + "\n";
  text += "  epoch  exact match  character accuracy  correction rate  copying the input\n";
  for (const FigureRow& row : rows) {
    text += "  " + padded_left(row.epoch, 5) + "  " + padded_left(row.exact, 11) + "  " +
            padded_left(row.characters, 18) + "  " + padded_left(row.correction, 15) + "  " +
            padded_left(row.copying, 17) + "\n";
  }
  return text;
}

// Which mails a digest stands for, and what they would have told.
std::string told(const Report& report) {
  std::string text = joined(wrapped(stands_for_of(report), kWidth));
  const std::vector<ToldEpochRow> rows = told_epochs_of(report);
  if (!rows.empty()) {
    text += "  epoch    loss  validation loss  exact match  correction rate\n";
  }
  for (const ToldEpochRow& row : rows) {
    text += "  " + padded_left(row.epoch, 5) + "  " + padded_left(row.loss, 6) + "  " +
            padded_left(row.valid_loss, 15) + "  " + padded_left(row.exact, 11) + "  " +
            padded_left(row.correction, 15) + "\n";
  }
  const std::vector<std::string> incidents = told_incidents_of(report);
  if (!incidents.empty()) text += "\nRestarts and warnings\n";
  for (const std::string& incident : incidents) {
    std::string lead = "  ";
    for (const std::string& line : wrapped(incident, kWidth - 4)) {
      text += lead + line + "\n";
      lead = "    ";
    }
  }
  return text;
}

std::string samples(const Report& report) {
  const std::vector<SampleWords> words = samples_of(report);
  if (words.empty()) return "";
  std::string text = "Held-out lines and what the model makes of them\n";
  for (const SampleWords& sample : words) {
    text += std::string(sample.right ? "  right  " : "  WRONG  ") + "source  " + sample.source +
            "\n         output  " + sample.output + "\n";
    if (!sample.right) text += "         wanted  " + sample.wanted + "\n";
  }
  return text;
}

std::string log_tail(const Report& report) {
  const std::vector<std::string> lines = log_lines_of(report, kLogColumns);
  if (lines.empty()) return "";
  return "The last " + std::to_string(lines.size()) + (lines.size() == 1 ? " line" : " lines") +
         " of the worker's log\n" + joined(lines, "  ");
}

std::string commands(const Report& report) {
  std::string text;
  const char* lead = "To look closer:  ";
  for (const std::string& command : commands_of(report)) {
    text += lead + command + "\n";
    lead = "                 ";
  }
  return text;
}

std::string opening(const Report& report) {
  return joined(wrapped(headline_of(report), kWidth)) +
         joined(wrapped(whereabouts_of(report), kWidth));
}

}  // namespace

std::string text_of(const Report& report) {
  std::vector<std::string> sections = {opening(report)};
  if (report.kind == ReportKind::kTest) {
    sections.emplace_back(
        "This mail was asked for, to see that it arrives. Mails about training runs on\n"
        "this machine take the same way.\n");
  } else {
    const bool in_trouble = is_about_trouble(report.kind);
    const std::string standing = aligned(standing_of(report));
    if (in_trouble) sections.push_back(standing);
    if (in_trouble) sections.push_back(log_tail(report));
    if (report.kind == ReportKind::kDigest) sections.push_back(told(report));
    sections.push_back(hyperparameters(report));
    sections.push_back(joined(batch_lines_of(report)));
    sections.push_back(joined(result_lines_of(report)));
    sections.push_back(figures(report));
    if (!in_trouble) sections.push_back(standing);
    sections.push_back(samples(report));
    sections.push_back(commands(report));
  }
  std::string text;
  for (const std::string& section : sections) {
    if (!section.empty()) text += (text.empty() ? "" : "\n") + section;
  }
  return text;
}

}  // namespace traind
