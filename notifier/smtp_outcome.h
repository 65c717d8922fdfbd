// What the end of an SMTP transaction means for the message: try again, or never.
//
// Values and pure functions; safe on any thread. Knows libcurl's result codes by number only
// through <curl/curl.h> in the implementation.
#pragma once

#include <string>
#include <vector>

#include "notifier/mail_transport.h"

namespace traind {

// What libcurl reports of a transaction.
struct SmtpEnding {
  int curl_code = 0;           // CURLcode
  int reply_code = 0;          // last SMTP reply; 0 = none came
  bool data_begun = false;     // a 354 came: replies after it judge the message itself
  bool message_taken = false;  // a 250 came after it: whatever followed, the mail is theirs
  bool all_given = false;      // libcurl has had every byte of the message
  bool judged = false;         // any reply came after the 354
  std::string last_reply;      // the server's words as they came
  std::string curl_words;      // libcurl's words
};

// `secrets` are blotted out of the detail, whoever said them.
SendResult outcome_of(const SmtpEnding& ending, const std::vector<std::string>& secrets);

}  // namespace traind
