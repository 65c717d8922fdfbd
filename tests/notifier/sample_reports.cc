#include "tests/notifier/sample_reports.h"

#include <cmath>

namespace traind {
namespace {

EpochDone sample_epoch(int epoch) {
  EpochDone done;
  done.epoch = epoch;
  done.epochs = 4;
  done.step = 563 * epoch;
  done.train_loss = 0.02 + 1.9 * std::exp(-1.3 * epoch);
  done.valid_loss = done.train_loss * 1.04 + 0.004;
  done.scores = {
      5000, 0.301 + 0.134 * epoch, 0.86 + 0.025 * epoch, 4012, 0.25 + 0.137 * epoch, 0.198, 0.871};
  done.scores.character_error_rate = 0.14 - 0.025 * epoch;
  done.scores.word_error_rate = 0.699 - 0.134 * epoch;
  done.scores.bleu = 24.1 + 15.3 * epoch;
  done.scores.bleu_signature = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp";
  done.samples = {{"recieve", "receive", "receive"},
                  {"acommodaton", "accommodation", "accomodation"},
                  {"na\xC3\xAFvet\xC3\xA9", "na\xC3\xAFvet\xC3\xA9", "na\xC3\xAFvet\xC3\xA9"}};
  done.best = true;
  done.rate = 0.001;
  done.digest = "5a1f0c93d27b84e6";
  done.trained_seconds = 26056.0 * epoch;
  done.examples_per_second = 3120;
  done.tokens_per_second = 41200;
  return done;
}

MetricRow sample_row(int epoch, int index) {
  MetricRow row;
  row.epoch = epoch;
  row.batch = 100 * index;
  row.batches_per_epoch = 32453;
  row.step = 32453 * (epoch - 1) + row.batch;
  row.inputs = row.batch * 83200;
  row.loss = 0.053 + 0.004 * std::sin(index);
  row.valid_loss = 0.037 + 0.003 * std::sin(2.0 * index);
  row.examples_per_second = 3120;
  row.tokens_per_second = 41200;
  return row;
}

std::string bytes_of(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) bytes += static_cast<char>(value);
  return bytes;
}

}  // namespace

Report sample_report(ReportKind kind) {
  Report report;
  report.kind = kind;
  report.host = "ip-10-0-0-7";
  report.now_micros = 1'795'228'507'000'000;
  if (kind == ReportKind::kTest) return report;
  report.run_id = "01KAJ3QZ8W5V6T7S9R0PNMEDCB";
  report.run.name = "spelling";
  report.run.train.epochs = 4;
  report.run.model.dropout = 0.25;
  report.run.model.bidirectional = true;
  report.run.model.attention = true;
  report.started.device = "cuda";
  report.started.device_name = "NVIDIA L4";
  report.started.device_reason = "device = \"auto\" and a CUDA device was found";
  report.started.parameters = 7'654'321;
  report.started.train_examples = 4'153'984;
  report.started.valid_examples = 5'000;
  if (kind == ReportKind::kStart) return report;
  for (int epoch = 1; epoch <= 3; ++epoch) report.epochs.push_back(sample_epoch(epoch));
  for (int index = 1; index <= 324; ++index) report.rows.push_back(sample_row(3, index));
  report.trained_seconds = 78168;
  report.checkpoint = "step-000097359.safetensors";
  if (kind == ReportKind::kEnd) report.reason = "early stop: no better loss for 3 epochs";
  if (kind == ReportKind::kEpoch) {
    report.seconds_left = 26056;
    report.finish_micros = report.now_micros + 26'056'000'000;
  }
  if (kind == ReportKind::kWarning) {
    report.reason = "passed over checkpoint-000000097359.safetensors: its checksum does not fit";
    report.what_next = "Training goes on.";
  }
  if (kind == ReportKind::kDigest) {
    constexpr std::int64_t kHour = 3'600'000'000;
    const std::int64_t then = report.now_micros - 5 * kHour;
    report.told = {
        {ReportKind::kEpoch, 1, then, "[traind] spelling epoch 1/4: loss 0.5378"},
        {ReportKind::kRestart, 0, then + kHour,
         "[traind] spelling restarted (1): the worker was killed (signal 9), perhaps for want of "
         "memory"},
        {ReportKind::kWarning, 0, then + 2 * kHour,
         "[traind] spelling warning: passed over checkpoint-000000032453.safetensors: its checksum "
         "is wrong"},
        {ReportKind::kEpoch, 2, then + 2 * kHour, "[traind] spelling epoch 2/4: loss 0.1611"},
        {ReportKind::kEpoch, 3, then + 3 * kHour, "[traind] spelling epoch 3/4: loss 0.0585"}};
  }
  if (kind == ReportKind::kFailure || kind == ReportKind::kRestart) {
    report.restarts = kind == ReportKind::kRestart ? 1 : 5;
    report.reason = "the worker was killed (signal 9), perhaps for want of memory";
    report.what_next = kind == ReportKind::kRestart
                           ? "training goes on from the newest good checkpoint in 4 seconds"
                           : "nothing, until you run: trainctl resume spelling";
    for (int line = 1; line <= 60; ++line) {
      report.log_tail.push_back("2026-11-21 02:35:07 info  step " + std::to_string(97000 + line) +
                                " loss 0.0531\n");
    }
  }
  return report;
}

Report small_report(ReportKind kind) {
  Report report = sample_report(kind);
  report.rows.clear();
  if (report.epochs.size() > 1) report.epochs.resize(1);
  return report;
}

MailIdentity sample_identity() {
  return {"traind@ip-10-0-0-7.ec2.internal", "traind on ip-10-0-0-7", "ip-10-0-0-7.ec2.internal"};
}

std::vector<ReportKind> all_report_kinds() {
  return {ReportKind::kStart,   ReportKind::kEpoch,   ReportKind::kEnd,    ReportKind::kFailure,
          ReportKind::kRestart, ReportKind::kWarning, ReportKind::kDigest, ReportKind::kTest};
}

std::vector<std::string> hostile_strings() {
  std::vector<std::string> strings = {
      "a\r\nBcc: thief@example.org",
      "a\nBcc: thief@example.org\n\nbody",
      "a\r\n\r\n<script>alert(1)</script>",
      "\x1b[31mred\x1b[0m",
      "\x1b]8;;http://evil.example/\x1b\\link\x1b]8;;\x1b\\",
      "\x1b]52;c;ZXZpbA==\x07",
      std::string("nul\0inside", 10),
      "../../../../etc/passwd",
      "/etc/passwd",
      "; rm -rf / #",
      "$(reboot)`reboot`",
      "--help",
      "=?UTF-8?Q?=0D=0ABcc:_thief@example.org?=",
      "=?utf-8?b?Cg==?=",
      "\"quoted\" <address@example.org>, other@example.org",
      "a\"b\\c(d)e",
      "</pre></td></table><img src=x onerror=alert(1)>",
      "\" onload=\"alert(1)",
      "&lt;&amp;&#0;",
      "\"cid:chart\"",
      "--=_traind_alt_0000000000000000--",
      "From here\nFrom there\n.\n..\n",
      "%s%n%d",
      std::string(4096, 'A'),
      std::string(4096, '\n'),
      std::string(4096, '"'),
      std::string(4095, ' ') + "x",
      bytes_of({0xC0, 0x80}),
      bytes_of({0xE0, 0x80, 0xAF}),
      bytes_of({0xED, 0xA0, 0x80}),
      bytes_of({0xF4, 0x90, 0x80, 0x80}),
      bytes_of({0xFF, 0xFE}),
      bytes_of({'a', 0xE2, 0x82}),
      bytes_of({'a', 0xF0, 0x9F, 0x98}),
      "",
      " ",
  };
  for (int code = 0; code < 0x20; ++code) strings.push_back("x" + bytes_of({code}) + "y");
  for (int code = 0x80; code < 0xA0; ++code) strings.push_back("x" + bytes_of({0xC2, code}) + "y");
  for (int code = 0x80; code < 0x100; code += 3) strings.push_back("x" + bytes_of({code}) + "y");
  for (int low = 0xA8; low <= 0xAE; ++low) strings.push_back("x" + bytes_of({0xE2, 0x80, low}));
  for (int low = 0xA6; low <= 0xA9; ++low) strings.push_back("x" + bytes_of({0xE2, 0x81, low}));
  for (int size = 70; size < 110; ++size) {
    std::string smiles;
    while (smiles.size() + 4 <= static_cast<std::size_t>(size) * 4) smiles += "\xF0\x9F\x98\x80";
    strings.push_back(std::string(static_cast<std::size_t>(size % 4), 'e') + smiles);
  }
  strings.push_back("\x7F");
  strings.push_back(
      "\xEF\xBB\xBF"
      "bom");
  strings.push_back("\xF3\xA0\x80\x81tag");
  return strings;
}

std::vector<OutsideField> outside_fields() {
  using Text = const std::string&;
  return {
      {"host", [](Report& r, MailIdentity&, Text t) { r.host = t; }},
      {"run id", [](Report& r, MailIdentity&, Text t) { r.run_id = t; }},
      {"run name", [](Report& r, MailIdentity&, Text t) { r.run.name = t; }},
      {"device", [](Report& r, MailIdentity&, Text t) { r.started.device = t; }},
      {"device name", [](Report& r, MailIdentity&, Text t) { r.started.device_name = t; }},
      {"device reason", [](Report& r, MailIdentity&, Text t) { r.started.device_reason = t; }},
      {"resumed from",
       [](Report& r, MailIdentity&, Text t) {
         r.started.resumed_step = 7;
         r.started.resumed_from = t;
       }},
      {"reason", [](Report& r, MailIdentity&, Text t) { r.reason = t; }},
      {"log", [](Report& r, MailIdentity&, Text t) { r.log_tail.assign(50, t); }},
      {"checkpoint", [](Report& r, MailIdentity&, Text t) { r.checkpoint = t; }},
      {"what next", [](Report& r, MailIdentity&, Text t) { r.what_next = t; }},
      {"started from", [](Report& r, MailIdentity&, Text t) { r.started.started_from = t; }},
      {"changed setting",
       [](Report& r, MailIdentity&, Text t) {
         r.changes.assign(3, {t, t, t, 7, 3});
       }},
      {"told subject",
       [](Report& r, MailIdentity&, Text t) {
         r.told.assign(30, {ReportKind::kRestart, 0, 1'795'228'507'000'000, t});
       }},
      {"digest",
       [](Report& r, MailIdentity&, Text t) {
         for (EpochDone& done : r.epochs) done.digest = t;
       }},
      {"samples",
       [](Report& r, MailIdentity&, Text t) {
         for (EpochDone& done : r.epochs) done.samples.assign(3, {t, "wanted" + t, t});
       }},
      {"display name", [](Report&, MailIdentity& i, Text t) { i.name = t; }},
      {"domain", [](Report&, MailIdentity& i, Text t) { i.domain = t; }},
  };
}

}  // namespace traind
