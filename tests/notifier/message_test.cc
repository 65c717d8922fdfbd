#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "model/base/error.h"
#include "notifier/mail.h"
#include "tests/notifier/sample_reports.h"

namespace traind {
namespace {

using testing::ContainerEq;
using testing::HasSubstr;
using testing::Not;

std::string rendered(const Report& report, const MailIdentity& identity,
                     const std::string& recipient = "me@example.org",
                     const std::string& key = "epoch-3") {
  return render_message(compose_mail(report), identity, report, recipient, key);
}

std::string header_block(const std::string& message) {
  return message.substr(0, message.find("\r\n\r\n") + 2);
}

std::vector<std::string> header_names(const std::string& message) {
  std::vector<std::string> names;
  std::istringstream lines(header_block(message));
  for (std::string line; std::getline(lines, line);) {
    if (line[0] != ' ') names.push_back(line.substr(0, line.find(':')));
  }
  return names;
}

std::string header(const std::string& message, const std::string& name) {
  const std::string block = "\r\n" + header_block(message);
  const std::size_t at = block.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + name.size() + 4;
  return block.substr(begin, block.find("\r\n", begin) - begin);
}

std::vector<std::string> expected_names(bool has_run, bool has_epoch) {
  std::vector<std::string> names = {"Date", "From", "To", "Subject", "Message-ID"};
  if (has_run) {
    for (const char* name :
         {"In-Reply-To", "References", "Thread-Topic", "Thread-Index", "X-Traind-Run"}) {
      names.emplace_back(name);
    }
  }
  if (has_epoch) names.emplace_back("X-Traind-Epoch");
  for (const char* name :
       {"X-Traind-Kind", "List-Id", "Auto-Submitted", "MIME-Version", "Content-Type"}) {
    names.emplace_back(name);
  }
  return names;
}

// Printable ASCII, every line ended by CRLF and short enough.
void expect_clean(const std::string& message) {
  std::size_t begin = 0;
  while (begin < message.size()) {
    const std::size_t end = message.find("\r\n", begin);
    ASSERT_NE(end, std::string::npos);
    const std::string line = message.substr(begin, end - begin);
    ASSERT_LE(line.size(), 78U) << line;
    for (const char c : line) ASSERT_TRUE(c >= ' ' && c <= '~') << line;
    begin = end + 2;
  }
}

TEST(Message, IsCleanForEveryKind) {
  for (const ReportKind kind : all_report_kinds()) {
    expect_clean(rendered(sample_report(kind), sample_identity()));
  }
}

TEST(Message, HasExactlyItsHeadersWhateverTheTexts) {
  const std::vector<std::string> strings = hostile_strings();
  ASSERT_GE(strings.size(), 190U);
  for (const OutsideField& field : outside_fields()) {
    for (const std::string& text : strings) {
      Report report = small_report(ReportKind::kFailure);
      MailIdentity identity = sample_identity();
      field.put(report, identity, text);
      const std::string message = rendered(report, identity);
      const bool has_run = message.find("\r\nX-Traind-Run: ") != std::string::npos;
      ASSERT_TRUE(has_run || std::string(field.name) == "run id") << field.name;
      ASSERT_THAT(header_names(message), ContainerEq(expected_names(has_run, true)))
          << field.name << ": " << text;
      // An id of 64 characters and a hostile domain may pass the edge on a line of their own.
      if (text.size() < 30) expect_clean(message);
    }
  }
}

TEST(Message, TakesAHostileKeyAndSubjectApart) {
  const Report report = small_report(ReportKind::kEpoch);
  for (const std::string& text : hostile_strings()) {
    Mail mail = compose_mail(report);
    mail.subject = text;
    const std::string message =
        render_message(mail, sample_identity(), report, "me@example.org", text);
    ASSERT_THAT(header_names(message), ContainerEq(expected_names(true, true)));
    expect_clean(message);
  }
}

TEST(Message, HasTheSameIdWheneverItIsBuilt) {
  Report report = small_report(ReportKind::kEpoch);
  const std::string once = rendered(report, sample_identity());
  EXPECT_EQ(rendered(report, sample_identity()), once);
  report.now_micros += 5'000'000;
  EXPECT_EQ(header(rendered(report, sample_identity()), "Message-ID"), header(once, "Message-ID"));
}

TEST(Message, HasAnIdOfItsOwnForEachRunKeyAndRecipient) {
  Report report = small_report(ReportKind::kEpoch);
  const auto id = [&](const std::string& recipient, const std::string& key) {
    return header(rendered(report, sample_identity(), recipient, key), "Message-ID");
  };
  const std::string first = id("me@example.org", "epoch-3");
  EXPECT_NE(id("you@example.org", "epoch-3"), first);
  EXPECT_NE(id("me@example.org", "epoch-4"), first);
  report.run_id.back() = 'X';
  EXPECT_NE(id("me@example.org", "epoch-3"), first);
}

TEST(Message, HangsUnderOneRootPerRun) {
  const std::string start = rendered(sample_report(ReportKind::kStart), sample_identity());
  const std::string epoch = rendered(sample_report(ReportKind::kEpoch), sample_identity());
  const std::string root = "<01KAJ3QZ8W5V6T7S9R0PNMEDCB@ip-10-0-0-7.ec2.internal>";
  for (const std::string& message : {start, epoch}) {
    EXPECT_EQ(header(message, "References"), root);
    EXPECT_EQ(header(message, "In-Reply-To"), root);
    EXPECT_EQ(header(message, "Thread-Topic"), "[traind] spelling");
    EXPECT_EQ(header(message, "Thread-Index").size(), 32U) << "22 bytes in base64";
  }
  EXPECT_EQ(header(start, "Thread-Index"), header(epoch, "Thread-Index"));
}

TEST(Message, BelongsToNoThreadWithoutARun) {
  const std::string message = rendered(sample_report(ReportKind::kTest), sample_identity());
  EXPECT_THAT(header_names(message), ContainerEq(expected_names(false, false)));
}

TEST(Message, NamesThePictureTheHtmlShows) {
  const std::string message = rendered(sample_report(ReportKind::kEpoch), sample_identity());
  const std::size_t at = message.find("\r\nContent-ID:") + 13;
  const std::size_t begin = message.find('<', at) + 1;
  const std::string id = message.substr(begin, message.find('>', begin) - begin);
  std::string html = message;
  for (std::size_t soft = html.find("=\r\n"); soft != std::string::npos;
       soft = html.find("=\r\n")) {
    html.erase(soft, 3);
  }
  EXPECT_THAT(html, HasSubstr("src=3D\"cid:" + id + "\""));
}

TEST(Message, CannotHavePicturesPutInByText) {
  Report report = sample_report(ReportKind::kEpoch);
  report.run.name = "\"cid:chart\"";
  const std::string message = rendered(report, sample_identity());
  std::size_t count = 0;
  for (std::size_t at = message.find("cid:chart."); at != std::string::npos;
       at = message.find("cid:chart.", at + 1)) {
    ++count;
  }
  EXPECT_EQ(count, 1U);
}

TEST(Message, IsPlainTextAloneWithoutHtml) {
  Mail mail;
  mail.subject = "hello";
  mail.text = "world\n";
  const std::string message =
      render_message(mail, sample_identity(), Report{}, "me@example.org", "k");
  EXPECT_THAT(message, HasSubstr("\r\nContent-Type: text/plain; charset=utf-8\r\n"));
  EXPECT_THAT(message, Not(HasSubstr("multipart")));
}

TEST(Message, RefusesAddressesThatAreNone) {
  const Report report = small_report(ReportKind::kEpoch);
  MailIdentity identity = sample_identity();
  EXPECT_THROW(rendered(report, identity, "me@example.org\r\nBcc: x@y.org"), Error);
  identity.from = "nobody";
  EXPECT_THROW(rendered(report, identity), Error);
}

TEST(Message, QuietsAutoResponders) {
  const std::string message = rendered(sample_report(ReportKind::kEpoch), sample_identity());
  EXPECT_EQ(header(message, "Auto-Submitted"), "auto-generated");
  EXPECT_EQ(header(message, "List-Id"), "<runs.traind.ip-10-0-0-7.ec2.internal>");
}

}  // namespace
}  // namespace traind
