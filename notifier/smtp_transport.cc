#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <memory>
#include <string_view>

#include "model/base/base64.h"
#include "model/base/error.h"
#include "notifier/mail.h"
#include "notifier/mail_transport.h"
#include "notifier/password_file.h"
#include "notifier/safe_text.h"
#include "notifier/smtp_outcome.h"

namespace traind {
namespace {

constexpr int kConnectSeconds = 30;
// After the message is through, the server's goodbye is worth no more than this.
constexpr std::chrono::seconds kGoodbye{2};

bool is_host_text(std::string_view text, std::string_view others) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [others](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && others.find(c) != std::string_view::npos);
  });
}

// libcurl answers "localhost" itself, without asking DNS.
bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" ||
         (host.rfind("127.", 0) == 0 && host.find_first_not_of("0123456789.") == std::string::npos);
}

void check(bool sound, const std::string& complaint) {
  if (!sound) throw Error(ErrorKind::kConfig, "mail: " + complaint);
}

void check_settings(const SmtpSettings& settings) {
  const std::string host = one_line(settings.host, 100);
  check(is_host_text(settings.host, "-.:"), "\"" + host + "\" is not the name of an SMTP host");
  check(settings.port >= 1 && settings.port <= 65535, "the SMTP port must be in 1..65535");
  check(settings.timeout_seconds >= 1 && settings.timeout_seconds <= 3600,
        "the SMTP timeout must be in 1..3600 seconds");
  check(settings.helo.empty() || is_host_text(settings.helo, "-."),
        "helo must be a host name of letters, digits, '-' and '.'");
  check(one_line(settings.user) == settings.user, "the user name has control characters");
  check(settings.user.empty() == settings.password_file.empty(),
        "user and password_file come together or not at all");
  if (settings.tls != SmtpTls::kNone) return;
  check(settings.user.empty(),
        "tls = \"none\" with a user would send the password in the clear; "
        "use \"starttls\" or \"implicit\"");
  check(is_loopback(settings.host), "tls = \"none\" is for loopback only, and " + host +
                                        " is not; use \"starttls\" or \"implicit\"");
}

std::string endpoint_of(const SmtpSettings& settings) {
  const bool is_ipv6 = settings.host.find(':') != std::string::npos;
  return std::string(settings.tls == SmtpTls::kImplicit ? "smtps://" : "smtp://") +
         (is_ipv6 ? "[" + settings.host + "]" : settings.host) + ":" +
         std::to_string(settings.port);
}

using Clock = std::chrono::steady_clock;

// What libcurl's callbacks read and write during one transaction.
struct Transaction {
  std::string_view unsent;
  Clock::time_point deadline;
  bool data_begun = false;
  bool message_taken = false;
  bool judged = false;
  std::string last_reply;
};

std::size_t give_bytes(char* buffer, std::size_t size, std::size_t count, void* context) {
  auto& transaction = *static_cast<Transaction*>(context);
  const std::size_t bytes = std::min(size * count, transaction.unsent.size());
  std::copy_n(transaction.unsent.data(), bytes, buffer);
  transaction.unsent.remove_prefix(bytes);
  return bytes;
}

// Every line of every reply comes here; the last one is the verdict. After a refusal libcurl says
// QUIT by itself, and 221 answers only that.
std::size_t take_reply(char* line, std::size_t size, std::size_t count, void* context) noexcept {
  constexpr std::size_t kReplyKept = 2000;
  auto& transaction = *static_cast<Transaction*>(context);
  std::string_view reply(line, size * count);
  while (!reply.empty() && (reply.back() == '\n' || reply.back() == '\r')) reply.remove_suffix(1);
  const std::string_view code = reply.substr(0, 3);
  if (code == "221") return size * count;
  if (transaction.data_begun) transaction.judged = true;
  if (code == "354") transaction.data_begun = true;
  if (code == "250" && transaction.data_begun) {
    transaction.message_taken = true;
    transaction.deadline = std::min(transaction.deadline, Clock::now() + kGoodbye);
  }
  transaction.last_reply.assign(reply.substr(0, kReplyKept));
  return size * count;
}

// CURLOPT_TIMEOUT does not hold while libcurl says QUIT and waits for the reply, two minutes long.
// It asks here every second, then too.
int is_overdue(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) noexcept {
  return Clock::now() >= static_cast<Transaction*>(context)->deadline ? 1 : 0;
}

struct HandleGone {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct ListGone {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Handle = std::unique_ptr<CURL, HandleGone>;
using List = std::unique_ptr<curl_slist, ListGone>;

template <typename Value>
void set(const Handle& handle, CURLoption option, Value value) {
  const CURLcode code = curl_easy_setopt(handle.get(), option, value);
  if (code == CURLE_OK) return;
  throw Error(ErrorKind::kInternal, "libcurl refused an option (" + std::to_string(option) +
                                        "): " + curl_easy_strerror(code));
}

class SmtpTransport : public MailTransport {
 public:
  explicit SmtpTransport(const SmtpSettings& settings)
      : settings_(settings), endpoint_(endpoint_of(settings)) {}

  SendResult send(const OutgoingMessage& message) noexcept override;
  std::string description() const override { return endpoint_; }

 private:
  SendResult transact(const OutgoingMessage& message) const;
  void set_connection(const Handle& handle) const;
  std::string set_login(const Handle& handle) const;
  void set_message(const Handle& handle, const OutgoingMessage& message, const List& recipients,
                   Transaction& transaction) const;

  const SmtpSettings settings_;
  const std::string endpoint_;
};

SendResult SmtpTransport::send(const OutgoingMessage& message) noexcept {
  SendResult result;
  try {
    // libcurl would pass on a line end inside an address as a command of its own.
    if (!is_valid_address(message.recipient) || !is_valid_address(message.from)) {
      result.outcome = SendOutcome::kPermanent;
      result.detail = "not sent: sender or recipient is not an address of the form local@domain";
      return result;
    }
    return transact(message);
  } catch (const std::exception& error) {
    // A password file that cannot be read, or no memory: it is the same for every mail.
    result.outcome = SendOutcome::kTemporary;
    result.trouble = SendTrouble::kServer;
    try {
      result.detail = one_line(error.what(), 299);
    } catch (const std::exception&) {
      result.detail.clear();
    }
  }
  return result;
}

void SmtpTransport::set_connection(const Handle& handle) const {
  set(handle, CURLOPT_URL, (endpoint_ + "/" + settings_.helo).c_str());
  set(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  set(handle, CURLOPT_NOSIGNAL, 1L);
  // Closed, and its QUIT said, within the transfer: later no callback of ours could cut it short.
  set(handle, CURLOPT_FORBID_REUSE, 1L);
  // Neither option empty: a proxy named in the environment is for the web.
  set(handle, CURLOPT_PROXY, "");
  set(handle, CURLOPT_NOPROXY, "*");
  set(handle, CURLOPT_CONNECTTIMEOUT,
      static_cast<long>(std::min(kConnectSeconds, settings_.timeout_seconds)));
  set(handle, CURLOPT_TIMEOUT, static_cast<long>(settings_.timeout_seconds));
  set(handle, CURLOPT_USE_SSL,
      static_cast<long>(settings_.tls == SmtpTls::kNone ? CURLUSESSL_NONE : CURLUSESSL_ALL));
  set(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  set(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!settings_.ca_file.empty()) set(handle, CURLOPT_CAINFO, settings_.ca_file.c_str());
}

// Returns the password; empty without a login.
std::string SmtpTransport::set_login(const Handle& handle) const {
  if (settings_.user.empty()) return "";
  std::string password = read_password(settings_.password_file);
  set(handle, CURLOPT_USERNAME, settings_.user.c_str());
  set(handle, CURLOPT_PASSWORD, password.c_str());
  return password;
}

void SmtpTransport::set_message(const Handle& handle, const OutgoingMessage& message,
                                const List& recipients, Transaction& transaction) const {
  transaction.unsent = message.bytes;
  transaction.deadline = Clock::now() + std::chrono::seconds(settings_.timeout_seconds);
  set(handle, CURLOPT_MAIL_FROM, message.from.c_str());
  set(handle, CURLOPT_MAIL_RCPT, recipients.get());
  set(handle, CURLOPT_UPLOAD, 1L);
  set(handle, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(message.bytes.size()));
  set(handle, CURLOPT_READFUNCTION, give_bytes);
  set(handle, CURLOPT_READDATA, &transaction);
  set(handle, CURLOPT_HEADERFUNCTION, take_reply);
  set(handle, CURLOPT_HEADERDATA, &transaction);
  set(handle, CURLOPT_NOPROGRESS, 0L);
  set(handle, CURLOPT_XFERINFOFUNCTION, is_overdue);
  set(handle, CURLOPT_XFERINFODATA, &transaction);
}

SendResult SmtpTransport::transact(const OutgoingMessage& message) const {
  const Handle handle(curl_easy_init());
  if (!handle) throw Error(ErrorKind::kInternal, "libcurl gave no handle: out of memory?");
  set_connection(handle);
  const std::string password = set_login(handle);
  const List recipients(curl_slist_append(nullptr, message.recipient.c_str()));
  Transaction transaction;
  set_message(handle, message, recipients, transaction);
  std::array<char, CURL_ERROR_SIZE> words{};
  set(handle, CURLOPT_ERRORBUFFER, words.data());

  const CURLcode code = curl_easy_perform(handle.get());
  SmtpEnding ending;
  long reply_code = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &reply_code);
  // The words go before the handle, which could still write to them.
  curl_easy_setopt(handle.get(), CURLOPT_ERRORBUFFER, nullptr);
  ending.curl_code = code;
  ending.reply_code = static_cast<int>(reply_code);
  ending.data_begun = transaction.data_begun;
  ending.message_taken = transaction.message_taken;
  ending.all_given = transaction.unsent.empty();
  ending.judged = transaction.judged;
  ending.last_reply = transaction.last_reply;
  ending.curl_words = words[0] ? words.data() : curl_easy_strerror(code);
  if (password.empty()) return outcome_of(ending, {});
  // As typed, and as a login carries it: a server may repeat what it did not understand.
  const std::string plain = std::string(1, '\0') + settings_.user + '\0' + password;
  return outcome_of(ending, {base64(plain), base64(password), password});
}

}  // namespace

std::unique_ptr<MailTransport> make_smtp_transport(const SmtpSettings& settings) {
  // Once in the life of the program, and before any thread of libcurl.
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) {
    throw Error(ErrorKind::kInternal,
                std::string("libcurl does not start: ") + curl_easy_strerror(ready));
  }
  check_settings(settings);
  return std::make_unique<SmtpTransport>(settings);
}

}  // namespace traind
