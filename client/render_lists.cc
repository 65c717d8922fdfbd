#include "client/render_lists.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "client/figures.h"
#include "client/render_status.h"
#include "client/table.h"
#include "client/terminal_text.h"

namespace traind {

namespace {

// A cell that is one word for awk.
std::string word(const std::string& text) {
  std::string result = neutral(text);
  for (char& c : result) {
    if (c == ' ') c = '_';
  }
  return result;
}

// The shortest text that reads back as the same number (17 digits always do).
std::string exact_number(double number) {
  char text[32];
  for (const int digits : {15, 16, 17}) {
    std::snprintf(text, sizeof(text), "%.*g", digits, number);
    if (std::strtod(text, nullptr) == number) break;
  }
  return text;
}

// What went wrong, or where the mail went instead.
std::string mail_note(const v1::Mail& mail) {
  if (mail.folded_into() == 0) return neutral(mail.last_error());
  return "told in mail " + std::to_string(mail.folded_into());
}

}  // namespace

std::string render_runs(const std::vector<v1::Run>& runs, const Look& look) {
  Table table({{"NAME"},
               {"STATE"},
               {"EPOCH", Align::kRight},
               {"STEP", Align::kRight},
               {"VALID-LOSS", Align::kRight},
               {"EXACT", Align::kRight},
               {"ID"},
               {"CREATED"},
               {"REASON"}});
  for (const v1::Run& run : runs) {
    table.add(
        {word(run.name()), name_of(run.state()),
         std::to_string(run.epoch()) + "/" + std::to_string(run.epochs()),
         std::to_string(run.step()), run.valid_loss_known() ? loss_text(run.valid_loss()) : "",
         has_answers(run.scores()) ? loss_text(run.scores().exact()) : "", word(run.id()),
         age_text(run.created_micros(), look), neutral(run.reason())},
        run.state() == v1::RUN_STATE_FAILED ? Ink::kRed : Ink::kNone);
  }
  return table.text(look);
}

std::string render_checkpoints(const v1::ListCheckpointsResponse& reply, const Look& look) {
  Table table({{"FILE"},
               {"STEP", Align::kRight},
               {"EPOCH", Align::kRight},
               {"REASON"},
               {"BYTES", Align::kRight},
               {"DIGEST"},
               {"BEST"},
               {"SAVED"}});
  for (const v1::Checkpoint& checkpoint : reply.checkpoints()) {
    table.add({word(checkpoint.file()), std::to_string(checkpoint.step()),
               std::to_string(checkpoint.epoch()), name_of(checkpoint.reason()),
               std::to_string(checkpoint.bytes()), word(checkpoint.digest()),
               checkpoint.best() ? "best" : "", age_text(checkpoint.saved_micros(), look)});
  }
  return table.text(look);
}

std::string render_mails(const v1::ListMailsResponse& reply, const Look& look) {
  Table table({{"ID", Align::kRight},
               {"STATE"},
               {"KIND"},
               {"RUN"},
               {"TRIES", Align::kRight},
               {"RECIPIENT"},
               {"CREATED"},
               {"ERROR"}});
  for (const v1::Mail& mail : reply.mails()) {
    table.add({std::to_string(mail.id()), word(mail.state()), word(mail.kind()), word(mail.run()),
               std::to_string(mail.attempts()), word(mail.recipient()),
               age_text(mail.created_micros(), look), mail_note(mail)},
              mail.state() == "dead" ? Ink::kRed : Ink::kNone);
  }
  return table.text(look);
}

std::string metrics_header(const Look& look) {
  char text[160];
  std::snprintf(text, sizeof(text), "%9s %5s %9s %10s %9s %10s %10s %10s %11s %10s", "STEP",
                "EPOCH", "BATCH", "LOSS", "ACCURACY", "VALID-LOSS", "GRAD-NORM", "RATE",
                "EXAMPLES/S", "TRAINED");
  return painted(look, Ink::kDim, text) + "\n";
}

std::string render_metrics(const v1::ListMetricsResponse& page) {
  std::string result;
  for (const v1::MetricRow& row : page.rows()) {
    char text[256];
    std::snprintf(
        text, sizeof(text), "%9lld %5d %9lld %10.4f %9.4f %10.4f %10.4f %10.3g %11.1f %10.1f\n",
        static_cast<long long>(row.step()), row.epoch(), static_cast<long long>(row.batch()),
        row.loss(), row.accuracy(), row.valid_loss(), row.gradient_norm(), row.rate(),
        row.examples_per_second(), row.trained_seconds());
    result += text;
  }
  return result;
}

std::string metrics_csv_header() {
  return "step,epoch,batch,batches_per_epoch,inputs,loss,accuracy,valid_loss,gradient_norm,"
         "learning_rate,examples_per_second,tokens_per_second,trained_seconds,gpu_utilisation,"
         "gpu_memory_bytes,gpu_memory_total_bytes,gpu_celsius,gpu_watts\n";
}

std::string metrics_csv(const v1::ListMetricsResponse& page) {
  std::string text;
  for (const v1::MetricRow& row : page.rows()) {
    for (const std::int64_t number : {row.step(), std::int64_t{row.epoch()}, row.batch(),
                                      row.batches_per_epoch(), row.inputs()}) {
      text += std::to_string(number) + ",";
    }
    for (const double number : {row.loss(), row.accuracy(), row.valid_loss(), row.gradient_norm(),
                                row.rate(), row.examples_per_second(), row.tokens_per_second()}) {
      text += exact_number(number) + ",";
    }
    text += exact_number(row.trained_seconds());
    for (const double number :
         {row.gpu().utilisation(), row.gpu().memory_bytes(), row.gpu().memory_total_bytes(),
          row.gpu().celsius(), row.gpu().watts()}) {
      text += "," + (row.has_gpu() && std::isfinite(number) ? exact_number(number) : "");
    }
    text += "\n";
  }
  return text;
}

}  // namespace traind
