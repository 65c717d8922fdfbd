#include "notifier/smtp_outcome.h"

#include <curl/curl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "notifier/safe_text.h"

namespace traind {
namespace {

using testing::HasSubstr;
using testing::Not;

SmtpEnding ending(int curl_code, const std::string& reply, bool data_begun = false) {
  SmtpEnding made;
  made.curl_code = curl_code;
  made.reply_code = reply.empty() ? 0 : std::stoi(reply);
  made.last_reply = reply;
  made.data_begun = data_begun;
  made.curl_words = "libcurl's words";
  return made;
}

SendOutcome outcome(int curl_code, const std::string& reply, bool data_begun = false) {
  return outcome_of(ending(curl_code, reply, data_begun), {}).outcome;
}

TEST(SmtpOutcome, GivesUpOnlyWhereTheServerJudgedTheMessage) {
  EXPECT_EQ(outcome(CURLE_SEND_ERROR, "550 no such user"), SendOutcome::kPermanent);
  EXPECT_EQ(outcome(CURLE_SEND_ERROR, "552 too big"), SendOutcome::kPermanent);
  EXPECT_EQ(outcome(CURLE_WEIRD_SERVER_REPLY, "554 spam", true), SendOutcome::kPermanent);
}

TEST(SmtpOutcome, HasSentWhatTheServerTookWhateverFollows) {
  SmtpEnding made = ending(CURLE_ABORTED_BY_CALLBACK, "250 queued", true);
  made.message_taken = true;
  const SendResult result = outcome_of(made, {});
  EXPECT_EQ(result.outcome, SendOutcome::kSent);
  EXPECT_EQ(result.detail, "250 queued");
}

TEST(SmtpOutcome, TriesAgainWhereTheSetUpIsAtFault) {
  EXPECT_EQ(outcome(CURLE_LOGIN_DENIED, "535 wrong"), SendOutcome::kTemporary);
  EXPECT_EQ(outcome(CURLE_SEND_ERROR, "530 log in first"), SendOutcome::kTemporary);
  EXPECT_EQ(outcome(CURLE_USE_SSL_FAILED, "502 what?"), SendOutcome::kTemporary);
  EXPECT_EQ(outcome(CURLE_WEIRD_SERVER_REPLY, "554 no SMTP here", false), SendOutcome::kTemporary);
  EXPECT_EQ(outcome(CURLE_PEER_FAILED_VERIFICATION, "220 ready"), SendOutcome::kTemporary);
}

TEST(SmtpOutcome, TriesAgainAfterATemporaryRefusalOrNone) {
  EXPECT_EQ(outcome(CURLE_SEND_ERROR, "450 later"), SendOutcome::kTemporary);
  EXPECT_EQ(outcome(CURLE_WEIRD_SERVER_REPLY, "451 later", true), SendOutcome::kTemporary);
  EXPECT_EQ(outcome(CURLE_WEIRD_SERVER_REPLY, "421 busy"), SendOutcome::kTemporary);
  EXPECT_EQ(outcome(CURLE_COULDNT_CONNECT, ""), SendOutcome::kTemporary);
  EXPECT_EQ(outcome(CURLE_COULDNT_RESOLVE_HOST, ""), SendOutcome::kTemporary);
  EXPECT_EQ(outcome(CURLE_OPERATION_TIMEDOUT, "354 go on", true), SendOutcome::kTemporary);
  EXPECT_EQ(outcome(CURLE_RECV_ERROR, "354 go on", true), SendOutcome::kTemporary);
}

TEST(SmtpOutcome, KnowsWhetherTheServerOrTheMailIsTheTrouble) {
  const auto trouble = [](int curl_code, const std::string& reply, bool data_begun = false) {
    return outcome_of(ending(curl_code, reply, data_begun), {}).trouble;
  };
  EXPECT_EQ(trouble(CURLE_COULDNT_CONNECT, ""), SendTrouble::kServer);
  EXPECT_EQ(trouble(CURLE_USE_SSL_FAILED, "454 no TLS now"), SendTrouble::kServer);
  EXPECT_EQ(trouble(CURLE_PEER_FAILED_VERIFICATION, "220 ready"), SendTrouble::kServer);
  EXPECT_EQ(trouble(CURLE_WEIRD_SERVER_REPLY, "554 no SMTP here"), SendTrouble::kServer);
  EXPECT_EQ(trouble(CURLE_SEND_ERROR, "421 closing"), SendTrouble::kServer);
  EXPECT_EQ(trouble(CURLE_SEND_ERROR, "250 fine"), SendTrouble::kServer);
  EXPECT_EQ(trouble(CURLE_LOGIN_DENIED, "535 wrong"), SendTrouble::kLogin);
  EXPECT_EQ(trouble(CURLE_LOGIN_DENIED, "454 later"), SendTrouble::kLogin);
  EXPECT_EQ(trouble(CURLE_SEND_ERROR, "530 log in first"), SendTrouble::kLogin);
  EXPECT_EQ(trouble(CURLE_SEND_ERROR, "450 mailbox busy"), SendTrouble::kMessage);
  // One message that makes a server stumble must not hold up the others.
  EXPECT_EQ(trouble(CURLE_RECV_ERROR, "354 go on", true), SendTrouble::kMessage);
}

TEST(SmtpOutcome, KnowsWhetherTheMailMayHaveArrived) {
  SmtpEnding made = ending(CURLE_RECV_ERROR, "354 go on", true);
  EXPECT_FALSE(outcome_of(made, {}).perhaps_taken) << "not all of it went out";
  made.all_given = true;
  EXPECT_TRUE(outcome_of(made, {}).perhaps_taken);
  made = ending(CURLE_WEIRD_SERVER_REPLY, "451 later", true);
  made.all_given = made.judged = true;
  EXPECT_FALSE(outcome_of(made, {}).perhaps_taken) << "the server said no";
  EXPECT_FALSE(outcome_of(ending(CURLE_COULDNT_CONNECT, ""), {}).perhaps_taken);
}

TEST(SmtpOutcome, TellsTheServersWordsInOnePrintableLine) {
  const SendResult result =
      outcome_of(ending(CURLE_SEND_ERROR, "550 \x1b[31mno\r\nsuch \xFF user"), {});
  EXPECT_EQ(result.code, 550);
  EXPECT_EQ(result.detail, "550 \xEF\xBF\xBD[31mno  such \xEF\xBF\xBD user");
  const SendResult endless =
      outcome_of(ending(CURLE_SEND_ERROR, "550 " + std::string(4096, '\xFF')), {});
  EXPECT_EQ(code_points_of(endless.detail), 300U);
}

TEST(SmtpOutcome, TellsLibcurlsWordsWhereTheServerSaidNothingUseful) {
  EXPECT_EQ(outcome_of(ending(CURLE_COULDNT_CONNECT, ""), {}).detail, "libcurl's words");
  EXPECT_EQ(outcome_of(ending(CURLE_OPERATION_TIMEDOUT, "354 go on", true), {}).detail,
            "no answer in time: libcurl's words");
}

TEST(SmtpOutcome, BlotsSecretsOut) {
  const SendResult result =
      outcome_of(ending(CURLE_LOGIN_DENIED, "535 s3cret is wrong, AHMzY3JldA== too, s3cret"),
                 {"AHMzY3JldA==", "s3cret", ""});
  EXPECT_THAT(result.detail, HasSubstr("535 *** is wrong, *** too, ***"));
  EXPECT_THAT(outcome_of(ending(CURLE_LOGIN_DENIED, "535 ****"), {"*"}).detail,
              Not(HasSubstr("s3cret")));
}

}  // namespace
}  // namespace traind
