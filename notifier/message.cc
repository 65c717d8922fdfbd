#include <algorithm>

#include "model/base/error.h"
#include "model/base/xxh64.h"
#include "notifier/facts.h"
#include "notifier/figures.h"
#include "notifier/mail.h"
#include "notifier/mime.h"
#include "notifier/thread_index.h"

namespace traind {
namespace {

// A run's id as it may stand in a Message-ID; a ULID passes unchanged.
std::string id_characters(const std::string& text) {
  constexpr std::size_t kLongest = 64;
  std::string kept;
  for (const char c : text) {
    const bool alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (alphanumeric || c == '-') kept += c;
  }
  return kept.substr(0, kLongest);
}

// Ids of one message. The same run, key and recipient give the same ids.
struct Ids {
  std::string hash;    // 32 hexadecimal digits
  std::string domain;  // never empty
  std::string run;     // empty in a mail that belongs to no run

  std::string message() const { return "<" + hash + "@" + domain + ">"; }
  // The mail that was never sent and that every mail of the run answers. Own Message-IDs are no
  // use for that: Amazon SES, for one, replaces them.
  std::string root() const { return "<" + run + "@" + domain + ">"; }
  std::string chart() const { return "chart." + hash + "@" + domain; }
  std::string boundary(const char* part) const {
    // "=_" cannot occur in quoted-printable or base64, so no text can hold a boundary.
    return std::string("=_traind_") + part + "_" + hash.substr(0, 16);
  }
};

Ids ids_for(const MailIdentity& identity, const Report& report, const std::string& recipient,
            const std::string& key) {
  // Separated by NUL, so that no two triples look the same.
  const std::string triple = report.run_id + '\0' + key + '\0' + recipient;
  Ids ids;
  ids.hash =
      hex64(xxh64(triple.data(), triple.size(), 1)) + hex64(xxh64(triple.data(), triple.size(), 2));
  ids.domain = is_valid_address("x@" + identity.domain) ? identity.domain : "localhost";
  ids.run = id_characters(report.run_id);
  return ids;
}

void check_address(const std::string& address, const char* whose) {
  if (is_valid_address(address)) return;
  throw Error(ErrorKind::kConfig,
              std::string("cannot write a mail: the ") + whose +
                  "'s address is not of the form local@domain in plain ASCII; mend it in the "
                  "[mail] section of traind.toml");
}

std::string thread_headers(const Report& report, const Ids& ids) {
  if (ids.run.empty()) return "";
  return token_header("In-Reply-To", ids.root()) + token_header("References", ids.root()) +
         text_header("Thread-Topic", "[traind] " + run_name_of(report)) +
         token_header("Thread-Index", thread_index_of(report.run_id)) +
         token_header("X-Traind-Run", ids.run);
}

std::string text_part(const std::string& subtype, const std::string& content) {
  return "Content-Type: text/" + subtype +
         "; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
         quoted_printable(content);
}

// The HTML names the picture "cid:chart"; on the wire a Content-ID is unique in the world
// (RFC 2392), so the name is completed here. The quotes keep a run's own text out of it.
std::string with_chart_id(std::string html, const Ids& ids) {
  const std::string placeholder = "\"cid:chart\"";
  for (std::size_t at = html.find(placeholder); at != std::string::npos;
       at = html.find(placeholder, at + 1)) {
    html.replace(at, placeholder.size(), "\"cid:" + ids.chart() + "\"");
  }
  return html;
}

std::string html_part(const Mail& mail, const Ids& ids) {
  if (mail.chart_png.empty()) return text_part("html", mail.html);
  const std::string boundary = ids.boundary("rel");
  return "Content-Type: multipart/related; type=\"text/html\";\r\n boundary=\"" + boundary +
         "\"\r\n\r\n--" + boundary + "\r\n" + text_part("html", with_chart_id(mail.html, ids)) +
         "\r\n--" + boundary +
         "\r\nContent-Type: image/png; name=\"loss.png\"\r\nContent-Transfer-Encoding: base64\r\n" +
         token_header("Content-ID", "<" + ids.chart() + ">") +
         "Content-Disposition: inline; filename=\"loss.png\"\r\n\r\n" +
         base64_lines(mail.chart_png) + "\r\n--" + boundary + "--\r\n";
}

// Content headers and content; plain text first, since the last part a reader knows is shown.
std::string body_of(const Mail& mail, const Ids& ids) {
  if (mail.html.empty()) return text_part("plain", mail.text);
  const std::string boundary = ids.boundary("alt");
  return "Content-Type: multipart/alternative;\r\n boundary=\"" + boundary + "\"\r\n\r\n--" +
         boundary + "\r\n" + text_part("plain", mail.text) + "\r\n--" + boundary + "\r\n" +
         html_part(mail, ids) + "\r\n--" + boundary + "--\r\n";
}

}  // namespace

std::string render_message(const Mail& mail, const MailIdentity& identity, const Report& report,
                           const std::string& recipient, const std::string& key) {
  check_address(identity.from, "sender");
  check_address(recipient, "recipient");
  const Ids ids = ids_for(identity, report, recipient, key);
  std::string message = token_header("Date", mail_date(report.now_micros));
  message += mailbox_header("From", identity.name, identity.from);
  message += mailbox_header("To", "", recipient);
  message += text_header("Subject", mail.subject);
  message += token_header("Message-ID", ids.message());
  message += thread_headers(report, ids);
  if (!report.epochs.empty()) {
    message += token_header("X-Traind-Epoch", std::to_string(report.epochs.back().epoch));
  }
  message += token_header("X-Traind-Kind", name_of(report.kind));
  message += token_header("List-Id", "<runs.traind." + ids.domain + ">");
  message += token_header("Auto-Submitted", "auto-generated");
  message += "MIME-Version: 1.0\r\n";
  return message + body_of(mail, ids);
}

}  // namespace traind
