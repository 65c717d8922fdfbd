#include "notifier/smtp_outcome.h"

#include <curl/curl.h>

#include "notifier/safe_text.h"

namespace traind {
namespace {

constexpr std::size_t kDetailShown = 300;

// 530, 534, 535 and 538 speak of the login (RFC 4954, 6): the configuration can be mended, and
// then the same message goes through.
bool is_about_login(int reply_code) {
  return reply_code == 530 || reply_code == 534 || reply_code == 535 || reply_code == 538;
}

// libcurl gives CURLE_SEND_ERROR for a refused MAIL, RCPT or DATA, and
// CURLE_WEIRD_SERVER_REPLY for a refused message, but also for a banner that is not 220.
bool is_about_message(const SmtpEnding& ending) {
  return ending.curl_code == CURLE_SEND_ERROR ||
         (ending.curl_code == CURLE_WEIRD_SERVER_REPLY && ending.data_begun);
}

bool is_sent(const SmtpEnding& ending) {
  return ending.curl_code == CURLE_OK || ending.message_taken;
}

SendOutcome classify(const SmtpEnding& ending) {
  if (is_sent(ending)) return SendOutcome::kSent;
  const bool refused = ending.reply_code >= 500 && ending.reply_code <= 599;
  return refused && is_about_message(ending) && !is_about_login(ending.reply_code)
             ? SendOutcome::kPermanent
             : SendOutcome::kTemporary;
}

SendTrouble trouble_of(const SmtpEnding& ending) {
  if (is_about_login(ending.reply_code) || ending.curl_code == CURLE_LOGIN_DENIED) {
    return SendTrouble::kLogin;
  }
  // Once a 354 came the server is well, and what goes wrong after it may be the message's doing:
  // one such mail must not hold up all others. 421 is "the service closes" (RFC 5321, 3.8).
  const bool refused = ending.reply_code >= 400 && ending.reply_code != 421;
  if (ending.data_begun || (refused && is_about_message(ending))) return SendTrouble::kMessage;
  return SendTrouble::kServer;
}

void blot_out(std::string& text, const std::string& secret) {
  if (secret.empty()) return;
  constexpr const char* kBlot = "***";
  for (std::size_t at = text.find(secret); at != std::string::npos;
       at = text.find(secret, at + 3)) {
    text.replace(at, secret.size(), kBlot);
  }
}

std::string advice(int curl_code) {
  switch (curl_code) {
    case CURLE_USE_SSL_FAILED:
      return "the server gives no encryption (STARTTLS): ";
    case CURLE_PEER_FAILED_VERIFICATION:
      return "the server's certificate is not trusted (see ca_file): ";
    case CURLE_LOGIN_DENIED:
      return "login refused (see user and password_file): ";
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_ABORTED_BY_CALLBACK:  // our own deadline
      return "no answer in time: ";
    default:
      return "";
  }
}

}  // namespace

SendResult outcome_of(const SmtpEnding& ending, const std::vector<std::string>& secrets) {
  SendResult result;
  result.outcome = classify(ending);
  result.code = ending.reply_code;
  result.trouble = trouble_of(ending);
  result.perhaps_taken = ending.data_begun && ending.all_given && !ending.judged;
  // A verdict is told in the server's words. Where libcurl gave up by itself (encryption, time,
  // connection) the last reply was a friendly one and explains nothing.
  const bool server_decided = ending.reply_code >= 400 || is_sent(ending);
  std::string words =
      server_decided && !ending.last_reply.empty() ? ending.last_reply : ending.curl_words;
  for (const std::string& secret : secrets) blot_out(words, secret);
  const std::string lead = is_sent(ending) ? "" : advice(ending.curl_code);
  result.detail = one_line(lead + words, kDetailShown);
  return result;
}

}  // namespace traind
