// The SMTP transport against a real server on loopback.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

#include "model/base/error.h"
#include "notifier/mail.h"
#include "notifier/mail_transport.h"
#include "tests/notifier/sample_reports.h"
#include "tests/notifier/smtp_server.h"
#include "tests/notifier/test_folder.h"

namespace traind {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr const char* kPassword = "s3cret-Zm9v";

class SmtpTransport : public testing::Test {
 protected:
  // A server with STARTTLS and a login; `plan` as in smtp_server.py.
  void start(const std::string& plan = "", std::vector<std::string> arguments = {}) {
    certificate_ = make_certificate(folder_.path(), "localhost");
    arguments.insert(arguments.end(), {"--certificate", certificate_.file, "--key",
                                       certificate_.key, "--plan", folder_.write("plan", plan)});
    if (login_) arguments.insert(arguments.end(), {"--user", "bot", "--password", kPassword});
    server_ = std::make_unique<SmtpServer>(folder_.path("mails"), arguments);
    settings_.host = "localhost";
    settings_.port = server_->port();
    settings_.ca_file = certificate_.file;
    settings_.helo = "gpu-1.example.org";
    settings_.timeout_seconds = 20;
    if (!login_) return;
    settings_.user = "bot";
    settings_.password_file = folder_.write("password", std::string(kPassword) + "\n");
  }

  SendResult send(const std::string& bytes = "Subject: x\r\n\r\nhello\r\n") {
    return make_smtp_transport(settings_)->send(
        {"traind@example.org", "me@example.org", "stem", bytes});
  }

  double seconds_to_send(SendResult* result) {
    const auto begin = std::chrono::steady_clock::now();
    *result = send();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  bool login_ = true;
  const TestFolder folder_;
  Certificate certificate_;
  std::unique_ptr<SmtpServer> server_;
  SmtpSettings settings_;
};

TEST_F(SmtpTransport, DeliversOverStarttlsWithALogin) {
  start();
  const Report report = sample_report(ReportKind::kEpoch);
  const std::string bytes =
      render_message(compose_mail(report), sample_identity(), report, "me@example.org", "epoch-3");
  const SendResult result = send(bytes);
  EXPECT_EQ(result.outcome, SendOutcome::kSent) << result.detail;
  EXPECT_EQ(result.code, 250);
  EXPECT_EQ(result.detail, "250 2.0.0 queued");
  ASSERT_THAT(server_->mails(), SizeIs(1));
  EXPECT_TRUE(server_->mails().front() == bytes) << "not the bytes that were sent";
  const std::string events = server_->events();
  EXPECT_THAT(events, HasSubstr("\"encrypted\": true"));
  EXPECT_THAT(events, HasSubstr("\"login\": \"bot\""));
  EXPECT_THAT(events, HasSubstr("\"helo\": \"gpu-1.example.org\""));
  EXPECT_THAT(events, HasSubstr("\"sender\": \"traind@example.org\""));
  EXPECT_THAT(events, HasSubstr("\"recipients\": [\"me@example.org\"]"));
}

TEST_F(SmtpTransport, DeliversOverImplicitTls) {
  settings_.tls = SmtpTls::kImplicit;
  start("", {"--tls", "implicit"});
  const SendResult result = send();
  EXPECT_EQ(result.outcome, SendOutcome::kSent) << result.detail;
  EXPECT_THAT(server_->events(), HasSubstr("\"encrypted\": true"));
}

TEST_F(SmtpTransport, DeliversInTheClearOnLoopbackWhenToldTo) {
  login_ = false;
  settings_.tls = SmtpTls::kNone;
  start("", {"--tls", "none"});
  EXPECT_EQ(send().outcome, SendOutcome::kSent);
  EXPECT_THAT(server_->mails(), SizeIs(1));
}

TEST_F(SmtpTransport, KeepsLinesThatBeginWithADot) {
  start();
  const std::string bytes = "Subject: x\r\n\r\n.\r\n..\r\n.hidden\r\nend\r\n.\r\n";
  EXPECT_EQ(send(bytes).outcome, SendOutcome::kSent);
  EXPECT_THAT(server_->mails(), ElementsAre(bytes));
}

TEST_F(SmtpTransport, DoesNotSendInTheClearToAServerWithoutStarttls) {
  start("no-starttls");
  const SendResult result = send();
  EXPECT_EQ(result.outcome, SendOutcome::kTemporary);
  EXPECT_THAT(result.detail, HasSubstr("STARTTLS"));
  EXPECT_THAT(server_->mails(), IsEmpty());
  EXPECT_THAT(server_->events(), Not(HasSubstr("login")));
}

TEST_F(SmtpTransport, DoesNotTrustACertificateOfAnother) {
  start();
  settings_.ca_file = make_certificate(folder_.path(), "other").file;
  const SendResult stranger = send();
  EXPECT_EQ(stranger.outcome, SendOutcome::kTemporary);
  EXPECT_THAT(stranger.detail, HasSubstr("certificate"));
  // Trusted, but made out to "localhost" only.
  settings_.ca_file = certificate_.file;
  settings_.host = "127.0.0.1";
  EXPECT_EQ(send().outcome, SendOutcome::kTemporary);
  EXPECT_THAT(server_->mails(), IsEmpty());
  EXPECT_THAT(server_->events(), Not(HasSubstr("login")));
}

TEST_F(SmtpTransport, TriesAgainAfterAWrongPasswordAndReadsItAnew) {
  start();
  settings_.password_file = folder_.write("password", "wr0ng-pass\n");
  const auto transport = make_smtp_transport(settings_);
  const OutgoingMessage message{"traind@example.org", "me@example.org", "stem", "x\r\n"};
  const SendResult refused = transport->send(message);
  EXPECT_EQ(refused.outcome, SendOutcome::kTemporary);
  EXPECT_EQ(refused.code, 535);
  EXPECT_THAT(refused.detail, HasSubstr("login refused"));
  EXPECT_THAT(refused.detail, Not(HasSubstr("wr0ng")));
  folder_.write("password", std::string(kPassword) + "\n");
  EXPECT_EQ(transport->send(message).outcome, SendOutcome::kSent);
}

TEST_F(SmtpTransport, KeepsThePasswordFromADetailThatAServerRepeats) {
  // base64 of "\0bot\0s3cret-Zm9v" and of "s3cret-Zm9v".
  start("auth 535 s3cret-Zm9v AGJvdABzM2NyZXQtWm05dg== czNjcmV0LVptOXY=");
  const SendResult result = send();
  EXPECT_EQ(result.outcome, SendOutcome::kTemporary);
  EXPECT_THAT(result.detail, HasSubstr("535 *** *** ***"));
}

TEST_F(SmtpTransport, SaysHowToMendAPasswordFileThatOthersCanRead) {
  start();
  ASSERT_EQ(std::system(("chmod 644 " + settings_.password_file).c_str()), 0);
  const SendResult result = send();
  EXPECT_EQ(result.outcome, SendOutcome::kTemporary);
  EXPECT_THAT(result.detail, HasSubstr("chmod 600 " + settings_.password_file));
}

TEST_F(SmtpTransport, SortsFaultsIntoThoseThatPassAndThoseThatStay) {
  struct Fault {
    const char* plan;
    SendOutcome outcome;
    int code;
    std::size_t kept;  // mails the server has after it
    SendTrouble trouble = SendTrouble::kMessage;
    bool perhaps_taken = false;
  };
  const std::vector<Fault> faults = {
      {"banner 421 4.3.2 busy", SendOutcome::kTemporary, 421, 0, SendTrouble::kServer},
      {"banner 554 5.3.2 no mail here", SendOutcome::kTemporary, 554, 0, SendTrouble::kServer},
      {"starttls 454 4.7.0 no TLS now", SendOutcome::kTemporary, 454, 0, SendTrouble::kServer},
      {"auth 535 5.7.8 no", SendOutcome::kTemporary, 535, 0, SendTrouble::kLogin},
      {"auth 454 4.7.0 later", SendOutcome::kTemporary, 454, 0, SendTrouble::kLogin},
      {"mail 450 4.3.2 later", SendOutcome::kTemporary, 450, 0},
      {"mail 530 5.7.0 log in first", SendOutcome::kTemporary, 530, 0, SendTrouble::kLogin},
      {"mail 550 5.1.8 bad sender", SendOutcome::kPermanent, 550, 0},
      {"rcpt 451 4.7.1 greylisted", SendOutcome::kTemporary, 451, 0},
      {"rcpt 550 5.1.1 no such user", SendOutcome::kPermanent, 550, 0},
      {"data 451 4.3.0 later", SendOutcome::kTemporary, 451, 0},
      {"data 554 5.5.1 no", SendOutcome::kPermanent, 554, 0},
      {"message 451 4.3.0 later", SendOutcome::kTemporary, 451, 0},
      {"message 554 5.6.0 rejected", SendOutcome::kPermanent, 554, 0},
      // So small that libcurl has had all of it by then, as far as it knows.
      {"drop-before", SendOutcome::kTemporary, 354, 0, SendTrouble::kMessage, true},
      {"drop-after", SendOutcome::kTemporary, 354, 1, SendTrouble::kMessage, true},
      {"ok", SendOutcome::kSent, 250, 2},
  };
  std::string plan;
  for (const Fault& fault : faults) plan += std::string(fault.plan) + "\n";
  start(plan);
  for (const Fault& fault : faults) {
    const SendResult result = send();
    EXPECT_EQ(result.outcome, fault.outcome) << fault.plan << ": " << result.detail;
    EXPECT_EQ(result.code, fault.code) << fault.plan << ": " << result.detail;
    EXPECT_FALSE(result.detail.empty()) << fault.plan;
    if (fault.outcome == SendOutcome::kTemporary) {
      EXPECT_EQ(result.trouble, fault.trouble) << fault.plan;
      EXPECT_EQ(result.perhaps_taken, fault.perhaps_taken) << fault.plan;
    }
    const std::string words(fault.plan);
    if (words.find(' ') != std::string::npos) {
      EXPECT_THAT(result.detail, HasSubstr(words.substr(words.find(' ') + 1)));
    }
    EXPECT_THAT(server_->mails(), SizeIs(fault.kept)) << fault.plan;
  }
}

TEST_F(SmtpTransport, ReturnsInTimeFromAServerThatIsSilent) {
  start("silent");
  settings_.timeout_seconds = 1;
  SendResult result;
  EXPECT_LT(seconds_to_send(&result), 3);
  EXPECT_EQ(result.outcome, SendOutcome::kTemporary);
  EXPECT_THAT(result.detail, HasSubstr("no answer in time"));
}

TEST_F(SmtpTransport, ReturnsInTimeFromAServerThatIsSlow) {
  start("slow 60");
  settings_.timeout_seconds = 1;
  SendResult result;
  EXPECT_LT(seconds_to_send(&result), 4);
  EXPECT_EQ(result.outcome, SendOutcome::kTemporary);
}

TEST_F(SmtpTransport, HasSentEvenIfTheServerNeverSaysGoodbye) {
  start("silent-quit");
  SendResult result;
  EXPECT_LT(seconds_to_send(&result), 5);
  EXPECT_EQ(result.outcome, SendOutcome::kSent);
}

TEST_F(SmtpTransport, TriesAgainWhereNobodyListens) {
  start();
  server_.reset();
  const SendResult result = send();
  EXPECT_EQ(result.outcome, SendOutcome::kTemporary);
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.detail, HasSubstr("onnect"));
}

TEST_F(SmtpTransport, AsksNoProxyOfTheEnvironment) {
  start();
  setenv("ALL_PROXY", "socks5://127.0.0.1:1", 1);
  setenv("all_proxy", "socks5://127.0.0.1:1", 1);
  EXPECT_EQ(send().outcome, SendOutcome::kSent);
  unsetenv("ALL_PROXY");
  unsetenv("all_proxy");
}

TEST_F(SmtpTransport, RefusesABadAddressBeforeTheWire) {
  start();
  const auto transport = make_smtp_transport(settings_);
  for (const char* bad : {"me@example.org>\r\nRCPT TO:<thief@example.org", "", "me", "a@b c"}) {
    EXPECT_EQ(transport->send({"traind@example.org", bad, "stem", "x\r\n"}).outcome,
              SendOutcome::kPermanent);
    EXPECT_EQ(transport->send({bad, "me@example.org", "stem", "x\r\n"}).outcome,
              SendOutcome::kPermanent);
  }
  EXPECT_THAT(server_->events(), IsEmpty());
}

TEST(SmtpSettings, ThatWouldShowThePasswordOrTheMailAreRefused) {
  SmtpSettings settings;
  settings.host = "localhost";
  settings.tls = SmtpTls::kNone;
  EXPECT_NO_THROW(make_smtp_transport(settings));
  settings.user = "bot";
  settings.password_file = "/etc/password";
  EXPECT_THROW(make_smtp_transport(settings), Error);
  settings.user.clear();
  settings.password_file.clear();
  for (const char* host : {"mail.example.org", "10.0.0.1", "127.evil.example", "localhost.org"}) {
    settings.host = host;
    EXPECT_THROW(make_smtp_transport(settings), Error) << host;
  }
  settings.host = "::1";
  EXPECT_EQ(make_smtp_transport(settings)->description(), "smtp://[::1]:587");
}

TEST(SmtpSettings, ThatCannotWorkAreRefused) {
  const auto refused = [](auto change) {
    SmtpSettings settings;
    settings.host = "mail.example.org";
    change(settings);
    EXPECT_THROW(make_smtp_transport(settings), Error);
  };
  refused([](SmtpSettings& s) { s.host = ""; });
  refused([](SmtpSettings& s) { s.host = "mail.example.org/evil"; });
  refused([](SmtpSettings& s) { s.host = "user@mail.example.org"; });
  refused([](SmtpSettings& s) { s.host = "mail\r\n.example.org"; });
  refused([](SmtpSettings& s) { s.port = 0; });
  refused([](SmtpSettings& s) { s.port = 65536; });
  refused([](SmtpSettings& s) { s.timeout_seconds = 0; });
  refused([](SmtpSettings& s) { s.helo = "a b"; });
  refused([](SmtpSettings& s) { s.helo = "a\r\nMAIL FROM:<x@y>"; });
  refused([](SmtpSettings& s) { s.user = "bot"; });
  refused([](SmtpSettings& s) { s.password_file = "/etc/password"; });
}

}  // namespace
}  // namespace traind
