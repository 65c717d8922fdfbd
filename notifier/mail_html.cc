#include "notifier/mail_html.h"

#include "notifier/digest.h"
#include "notifier/facts.h"
#include "notifier/safe_text.h"

namespace traind {
namespace {

// Mail programs drop <style> blocks, so each element carries its own. Colours: dark grey on a
// white card, and mid tones that stay readable where a program inverts them.
constexpr const char* kLabelCell =
    "padding:3px 16px 3px 0;color:#667085;white-space:nowrap;"
    "vertical-align:top";
constexpr const char* kValueCell = "padding:3px 0;color:#1d2939";
constexpr const char* kHeadCell =
    "padding:4px 10px 4px 0;color:#667085;font-size:12px;"
    "text-align:right;border-bottom:1px solid #e4e7ec";
constexpr const char* kFigureCell = "padding:4px 10px 4px 0;text-align:right;color:#1d2939";
constexpr const char* kHeading = "margin:24px 0 6px 0;font-size:14px;color:#344054";
constexpr const char* kPre =
    "margin:0;padding:10px;background:#f2f4f7;color:#1d2939;"
    "border-radius:6px;font:12px/1.5 Menlo,Consolas,monospace;"
    "white-space:pre-wrap;overflow-wrap:anywhere";
// A log line is cut earlier than in the text part: mail programs cut a document off at 102 KB.
constexpr std::size_t kLogColumns = 160;

std::string styled(const char* tag, const char* style, const std::string& content) {
  return std::string("<") + tag + " style=\"" + style + "\">" + content + "</" + tag + ">";
}

std::string heading(const std::string& text) {
  return styled("h2", kHeading, html_escaped(text)) + "\n";
}

std::string table(const std::string& rows) {
  return "<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" "
         "style=\"border-collapse:collapse;font-size:14px\">\n" +
         rows + "</table>\n";
}

std::string fact_table(const std::vector<Fact>& facts) {
  if (facts.empty()) return "";
  std::string rows;
  for (const Fact& fact : facts) {
    rows += "<tr>" + styled("td", kLabelCell, html_escaped(fact.label)) +
            styled("td", kValueCell, html_escaped(fact.value)) + "</tr>\n";
  }
  return table(rows);
}

std::string preformatted(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += html_escaped(line) + "\n";
  return styled("pre", kPre, text) + "\n";
}

std::string picture(const std::string& alt) {
  if (alt.empty()) return "";
  return "<img src=\"cid:chart\" width=\"600\" height=\"300\" alt=\"" + html_escaped(alt) +
         "\" style=\"display:block;width:100%;max-width:600px;height:auto;margin:18px 0 0 0;"
         "border:0;font-size:13px;color:#475467\">\n";
}

std::string figure_table(const Report& report) {
  const std::vector<FigureRow> figures = figures_of(report);
  if (figures.empty()) return "";
  std::string rows = "<tr>";
  for (const char* head :
       {"Epoch", "Exact match", "Character accuracy", "Correction rate", "Copying the input"}) {
    rows += styled("th", kHeadCell, head);
  }
  rows += "</tr>\n";
  for (const FigureRow& row : figures) {
    rows += "<tr>";
    for (const std::string* cell :
         {&row.epoch, &row.exact, &row.characters, &row.correction, &row.copying}) {
      rows += styled("td", kFigureCell, html_escaped(*cell));
    }
    rows += "</tr>\n";
  }
  const std::string held_out = held_out_of(report);
  return heading(held_out.empty() ? "Held-out examples" : held_out) + table(rows);
}

std::string told(const Report& report) {
  const std::string lead = styled("p", "margin:18px 0 6px 0", html_escaped(stands_for_of(report)));
  std::string rows;
  for (const ToldEpochRow& row : told_epochs_of(report)) {
    rows += "<tr>";
    for (const std::string* cell :
         {&row.epoch, &row.loss, &row.valid_loss, &row.exact, &row.correction}) {
      rows += styled("td", kFigureCell, html_escaped(*cell));
    }
    rows += "</tr>\n";
  }
  if (!rows.empty()) {
    std::string head;
    for (const char* words :
         {"Epoch", "Loss", "Validation loss", "Exact match", "Correction rate"}) {
      head += styled("th", kHeadCell, words);
    }
    rows = table("<tr>" + head + "</tr>\n" + rows);
  }
  const std::vector<std::string> incidents = told_incidents_of(report);
  return lead + "\n" + rows +
         (incidents.empty() ? "" : heading("Restarts and warnings") + preformatted(incidents));
}

std::string sample_table(const Report& report) {
  const std::vector<SampleWords> samples = samples_of(report);
  if (samples.empty()) return "";
  std::string rows;
  for (const SampleWords& sample : samples) {
    const char* mark = sample.right ? "color:#12805c;font-weight:600;padding:3px 16px 3px 0;"
                                      "vertical-align:top"
                                    : "color:#c4501b;font-weight:600;padding:3px 16px 3px 0;"
                                      "vertical-align:top";
    std::string words =
        html_escaped(sample.source) + " &rarr; <b>" + html_escaped(sample.output) + "</b>";
    if (!sample.right) words += "<br>wanted: " + html_escaped(sample.wanted);
    rows += "<tr>" + styled("td", mark, sample.right ? "right" : "wrong") +
            styled("td", kValueCell, words) + "</tr>\n";
  }
  return heading("Held-out lines and what the model makes of them") + table(rows);
}

std::string log_tail(const Report& report) {
  const std::vector<std::string> lines = log_lines_of(report, kLogColumns);
  if (lines.empty()) return "";
  return heading("The last lines of the worker's log") + preformatted(lines);
}

std::string results(const Report& report) {
  std::string text;
  for (const std::string& line : result_lines_of(report)) {
    text += (text.empty() ? "" : "<br>") + html_escaped(line);
  }
  return text.empty() ? "" : styled("p", "margin:18px 0 0 0", text) + "\n";
}

std::string batch_lines(const Report& report) {
  const std::vector<std::string> lines = batch_lines_of(report);
  return lines.empty() ? "" : heading("Batches") + preformatted(lines);
}

std::string commands(const Report& report) {
  const std::vector<std::string> lines = commands_of(report);
  return lines.empty() ? "" : heading("To look closer") + preformatted(lines);
}

std::string body_of(const Report& report, const std::string& chart_alt) {
  if (report.kind == ReportKind::kTest) {
    return styled("p", "margin:18px 0 0 0",
                  "This mail was asked for, to see that it arrives. Mails about training runs on "
                  "this machine take the same way.") +
           "\n";
  }
  const std::string standing =
      "<div style=\"margin:18px 0 0 0\">" + fact_table(standing_of(report)) + "</div>\n";
  const bool in_trouble = is_about_trouble(report.kind);
  std::string body;
  if (in_trouble) body += standing + log_tail(report);
  if (report.kind == ReportKind::kDigest) body += told(report);
  body += results(report) + picture(chart_alt) + figure_table(report);
  if (!in_trouble) body += standing;
  return body + sample_table(report) + batch_lines(report) + heading("Hyperparameters") +
         fact_table(hyperparameters_of(report)) + commands(report);
}

}  // namespace

std::string html_of(const Report& report, const std::string& chart_alt) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width\">\n"
         "<meta name=\"color-scheme\" content=\"light\">\n"
         "<meta name=\"supported-color-schemes\" content=\"light\">\n"
         "<title>" +
         html_escaped(subject_of(report)) +
         "</title>\n</head>\n<body style=\"margin:0;padding:0;background:#eef1f5\">\n"
         "<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" "
         "style=\"background:#eef1f5\"><tr><td align=\"center\" style=\"padding:20px 8px\">\n"
         "<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" "
         "style=\"width:100%;max-width:660px;background:#ffffff;border-radius:10px\"><tr>"
         "<td style=\"padding:26px 30px 30px 30px;background:#ffffff;border-radius:10px;"
         "text-align:left;font:15px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,"
         "sans-serif;color:#1d2939\">\n" +
         styled("h1", "margin:0;font-size:20px;line-height:1.3;color:#1d2939",
                html_escaped(headline_of(report))) +
         "\n" +
         styled("p", "margin:4px 0 0 0;font-size:13px;color:#667085",
                html_escaped(whereabouts_of(report))) +
         "\n" + body_of(report, chart_alt) +
         "</td></tr></table>\n</td></tr></table>\n</body>\n</html>\n";
}

}  // namespace traind
