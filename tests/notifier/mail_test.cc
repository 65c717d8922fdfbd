// What the mails say. The goldens are written anew with TRAIND_UPDATE_GOLDENS=1 in the
// environment, and by nothing else.

#include "notifier/mail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "notifier/safe_text.h"
#include "tests/notifier/sample_reports.h"
#include "tests/notifier/test_folder.h"

namespace traind {
namespace {

using testing::HasSubstr;
using testing::Not;

// The picture's bytes depend on the machine's fonts; what stands around it does not.
std::string without_picture(const std::string& message) {
  const std::string start = "filename=\"loss.png\"\r\n\r\n";
  const std::size_t at = message.find(start);
  if (at == std::string::npos) return message;
  const std::size_t begin = at + start.size();
  return message.substr(0, begin) + "(the picture)" +
         message.substr(message.find("\r\n\r\n", begin));
}

void expect_golden(const std::string& name, const std::string& content) {
  const std::string path = std::string(TRAIND_GOLDENS) + "/" + name;
  if (std::getenv("TRAIND_UPDATE_GOLDENS")) {
    std::ofstream(path, std::ios::binary) << content;
    return;
  }
  EXPECT_EQ(content_of(path), content) << "if " << name << " should change: "
                                       << "TRAIND_UPDATE_GOLDENS=1 ctest -R MailGolden";
}

class MailGolden : public testing::TestWithParam<ReportKind> {};

TEST_P(MailGolden, TextIsAsAgreed) {
  const Report report = sample_report(GetParam());
  expect_golden(std::string(name_of(GetParam())) + ".txt", compose_mail(report).text);
}

TEST_P(MailGolden, MessageIsAsAgreed) {
  const Report report = sample_report(GetParam());
  const std::string message =
      render_message(compose_mail(report), sample_identity(), report, "me@example.org",
                     std::string(name_of(GetParam())) + "-3");
  expect_golden(std::string(name_of(GetParam())) + ".eml", without_picture(message));
}

INSTANTIATE_TEST_SUITE_P(Kinds, MailGolden, testing::ValuesIn(all_report_kinds()),
                         [](const auto& kind) { return std::string(name_of(kind.param)); });

TEST(MailText, HasTheBatchLineOfTheBlogPost) {
  Report report = sample_report(ReportKind::kEpoch);
  MetricRow row;
  row.epoch = 3;
  row.batch = 100;
  row.batches_per_epoch = 32453;
  row.inputs = 8'320'000;
  row.loss = 0.053;
  row.valid_loss = 0.037;
  report.rows = {row};
  EXPECT_THAT(compose_mail(report).text,
              HasSubstr("\nEpoch   3/4 Batch    100/32453 Inputs (000)    8320 - Loss:  0.053 - "
                        "Validation loss:  0.037\n"));
}

TEST(MailText, HasTheResultLinesOfTheBlogPost) {
  Report report = sample_report(ReportKind::kEpoch);
  report.trained_seconds = 21 * 3600 + 2 * 60 + 48;
  report.epochs.back().scores.exact = 0.704;
  const std::string text = compose_mail(report).text;
  EXPECT_THAT(text, HasSubstr("\nModel training for 21h:2m:48s and saved.\n"));
  EXPECT_THAT(text, HasSubstr("\nCurrent accuracy = 70.4%\n"));
}

TEST(MailText, SaysOnWhichDeviceARunStartsAndWhy) {
  Report report = sample_report(ReportKind::kStart);
  report.started.device = "cpu";
  report.started.device_name = "A processor (8 threads)";
  report.started.device_reason = "auto: no NVIDIA driver is installed";
  const Mail mail = compose_mail(report);
  EXPECT_THAT(mail.subject, HasSubstr("on cpu"));
  for (const std::string& body : {mail.text, mail.html}) {
    EXPECT_THAT(body, HasSubstr("cpu (A processor (8 threads))"));
    EXPECT_THAT(body, HasSubstr("Why this device"));
    EXPECT_THAT(body, HasSubstr("auto: no NVIDIA driver is installed"));
    EXPECT_THAT(body, Not(HasSubstr("Precision")));
  }
}

TEST(MailText, NamesABatchThatIsStillToBeFound) {
  Report report = sample_report(ReportKind::kStart);
  report.run.train.batch_size = kFitBatch;
  report.run.train.precision = "bf16";
  EXPECT_THAT(compose_mail(report).text, HasSubstr("Batch size               what fits\n"));
  EXPECT_THAT(compose_mail(report).text, HasSubstr("Precision                bf16\n"));
}

TEST(MailText, ShowsFirstAndLastRowsOnly) {
  Report report = sample_report(ReportKind::kEpoch);
  report.rows.resize(10);
  EXPECT_THAT(compose_mail(report).text, Not(HasSubstr("\n...\n")));
  report = sample_report(ReportKind::kEpoch);
  report.rows.resize(11);
  const std::string text = compose_mail(report).text;
  EXPECT_THAT(text, HasSubstr("\n...\n"));
  EXPECT_THAT(text, HasSubstr("Batch    500/"));
  EXPECT_THAT(text, Not(HasSubstr("Batch    600/")));
  EXPECT_THAT(text, HasSubstr("Batch    700/"));
}

TEST(MailText, KeepsOurLinesWithin78Columns) {
  for (const ReportKind kind : all_report_kinds()) {
    std::istringstream lines(compose_mail(sample_report(kind)).text);
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind("Epoch ", 0) == 0) continue;
      EXPECT_LE(code_points_of(line), 78U) << line;
    }
  }
}

TEST(MailText, OfALanguageModelHasALossAndAPerplexityAlone) {
  Report report = sample_report(ReportKind::kEpoch);
  report.run.model.kind = ModelKind::kLanguage;
  for (EpochDone& done : report.epochs) done.scores = {};
  for (EpochDone& done : report.epochs) done.samples.clear();
  const Mail mail = compose_mail(report);
  EXPECT_EQ(mail.subject, "[traind] spelling epoch 3/4: loss 0.0585, perplexity 1.067");
  EXPECT_THAT(mail.text, HasSubstr("Perplexity             1.067\n"));
  for (const std::string& body : {mail.text, mail.html}) {
    for (const char* absent : {"xact match", "accuracy", "Error rates", "eld-out examples,",
                               "Attention", "Encoding embedding"}) {
      EXPECT_THAT(body, Not(HasSubstr(absent)));
    }
  }
}

TEST(MailText, SaysByWhatAnEpochIsTheBest) {
  Report report = sample_report(ReportKind::kEpoch);
  EXPECT_THAT(compose_mail(report).text, HasSubstr("0.0648 (best so far)\n"));
  report.epochs.back().measure = Measure::kCharacterErrorRate;
  const std::string text = compose_mail(report).text;
  EXPECT_THAT(text, Not(HasSubstr("(best so far)")));
  EXPECT_THAT(text, HasSubstr("Best so far            by character error rate\n"));
}

TEST(MailText, SaysWhichSettingIsNewInThisEpoch) {
  Report report = sample_report(ReportKind::kEpoch);
  report.changes = {{"train.epochs", "3", "4", 60'000, 2},
                    {"train.learning_rate", "0.001", "0.0005", 70'000, 3}};
  const std::string text = compose_mail(report).text;
  EXPECT_THAT(text, HasSubstr("train.learning_rate 0.001 -> 0.0005 at step 70,000\n"));
  EXPECT_THAT(text, Not(HasSubstr("train.epochs")));
}

TEST(MailText, OfADigestSaysWhichMailsItStandsFor) {
  const Report report = sample_report(ReportKind::kDigest);
  const Mail mail = compose_mail(report);
  EXPECT_EQ(mail.subject, "[traind] spelling epochs 1 to 3 of 4: loss 0.0585, exact 70.3 %");
  EXPECT_THAT(mail.text, HasSubstr("epochs 1 to 3, 1 restart, 1 warning.\n"));
  for (const std::string& body : {mail.text, mail.html}) {
    EXPECT_THAT(body, HasSubstr("This mail stands for 5 "));
    EXPECT_THAT(body, HasSubstr("Restarts and warnings"));
    EXPECT_THAT(body, HasSubstr("2026-11-20 22:35 UTC: restarted (1): the worker was killed"));
    EXPECT_THAT(body, HasSubstr("0.5378"));
  }
  EXPECT_FALSE(mail.chart_png.empty());
}

TEST(MailText, OfADigestOfManyEpochsShowsTheFirstTheLastAndSomeBetween) {
  Report report = sample_report(ReportKind::kDigest);
  const EpochDone one = report.epochs.front();
  report.epochs.clear();
  report.told.clear();
  for (int epoch = 1; epoch <= 1000; ++epoch) {
    report.epochs.push_back(one);
    report.epochs.back().epoch = epoch;
    if (epoch > 4) report.told.push_back({ReportKind::kEpoch, epoch, report.now_micros, "x"});
  }
  const Mail mail = compose_mail(report);
  EXPECT_THAT(mail.text, HasSubstr("\n      5  0.5378 "));
  EXPECT_THAT(mail.text, HasSubstr("\n   1000  0.5378 "));
  EXPECT_THAT(mail.text, Not(HasSubstr("\n      4  0.5378 ")));
  EXPECT_LT(mail.html.size(), 100'000U);
}

TEST(MailText, OfADigestWithoutAnEpochNamesTheMailsAlone) {
  Report report = sample_report(ReportKind::kDigest);
  report.told = {report.told[1], report.told[1], report.told[1], report.told[1]};
  report.epochs.clear();
  EXPECT_EQ(compose_mail(report).subject, "[traind] spelling 4 mails in one");
  EXPECT_THAT(compose_mail(report).text, HasSubstr("22:35 UTC: 4 restarts."));
}

TEST(MailText, SaysWhoseWeightsARunBeginsWith) {
  Report report = sample_report(ReportKind::kStart);
  report.started.started_from = "words@step-9000.safetensors";
  EXPECT_THAT(compose_mail(report).text,
              HasSubstr("Begins with weights of  words@step-9000.safetensors\n"));
}

TEST(MailText, KnowsNoCorrectionsWhereNoLineHasErrors) {
  Report report = sample_report(ReportKind::kEpoch);
  for (EpochDone& done : report.epochs) done.scores.corrupted = 0;
  EXPECT_THAT(compose_mail(report).text, HasSubstr("\n5,000 held-out examples\n"));
}

TEST(MailText, SaysNothingOfFiguresThatDoNotExist) {
  Report report = small_report(ReportKind::kEpoch);
  report.epochs.back().scores.corrupted = 0;
  EXPECT_THAT(compose_mail(report).text, HasSubstr("                -  "));
  report.epochs.clear();
  const std::string text = compose_mail(report).text;
  EXPECT_THAT(text, Not(HasSubstr("accuracy")));
  EXPECT_THAT(text, Not(HasSubstr("Loss")));
}

TEST(MailText, ShowsTheLastFiftyLinesOfALongLog) {
  const std::string text = compose_mail(sample_report(ReportKind::kFailure)).text;
  EXPECT_THAT(text, Not(HasSubstr("step 97010 ")));
  EXPECT_THAT(text, HasSubstr("step 97011 "));
  EXPECT_THAT(text, HasSubstr("step 97060 "));
}

TEST(MailText, OffersNoCommandThatAShellWouldTakeApart) {
  Report report = small_report(ReportKind::kEpoch);
  report.run.name = "x; rm -rf /";
  EXPECT_THAT(compose_mail(report).text, HasSubstr("trainctl status " + report.run_id + "\n"));
  report.run_id = "$(reboot)";
  EXPECT_THAT(compose_mail(report).text, HasSubstr("trainctl status\n"));
}

TEST(MailSubject, IsShortAndFirstNamesTheRun) {
  EXPECT_EQ(compose_mail(sample_report(ReportKind::kStart)).subject,
            "[traind] spelling started: 4 epochs on cuda");
  EXPECT_EQ(compose_mail(sample_report(ReportKind::kEpoch)).subject,
            "[traind] spelling epoch 3/4: loss 0.0585, exact 70.3 %");
  EXPECT_EQ(compose_mail(sample_report(ReportKind::kTest)).subject,
            "[traind] test mail from ip-10-0-0-7");
  Report report = sample_report(ReportKind::kFailure);
  report.run.name.assign(4096, 'n');
  report.reason.assign(4096, 'r');
  EXPECT_LT(code_points_of(compose_mail(report).subject), 160U);
}

TEST(MailHtml, StaysUnderWhatMailProgramsCut) {
  for (const ReportKind kind : all_report_kinds()) {
    for (const OutsideField& field : outside_fields()) {
      Report report = sample_report(kind);
      MailIdentity identity;
      field.put(report, identity, std::string(4096, '"'));
      report.rows.clear();
      EXPECT_LT(compose_mail(report).html.size(), 100'000U) << field.name;
    }
  }
}

TEST(MailHtml, EscapesWhateverARunSays) {
  for (const ReportKind kind : {ReportKind::kFailure, ReportKind::kDigest}) {
    for (const OutsideField& field : outside_fields()) {
      Report report = small_report(kind);
      MailIdentity identity;
      field.put(report, identity, "<b>\"'&");
      const std::string html = compose_mail(report).html;
      EXPECT_THAT(html, Not(HasSubstr("<b>\""))) << field.name;
      EXPECT_THAT(html, Not(HasSubstr("\"'&"))) << field.name;
    }
  }
}

}  // namespace
}  // namespace traind
