// A mail as a value, and as the bytes that travel (RFC 5322, RFC 2045-2047).
//
// Values; safe on any thread. Every header value is stripped of control characters, so that no
// text of a run can forge a header; addresses are checked by is_valid_address.
#pragma once

#include <cstdint>
#include <string>

#include "notifier/report.h"

namespace traind {

// Who writes, and where mails of this instance hang together.
struct MailIdentity {
  std::string from;    // "traind@ip-10-0-0-7.ec2.internal"
  std::string name;    // display name, "traind on ip-10-0-0-7"
  std::string domain;  // right side of Message-IDs
};

// The parts that are the same for every recipient.
struct Mail {
  std::string subject;
  std::string text;       // text/plain; UTF-8
  std::string html;       // text/html; refers to the chart as cid:chart; empty = no HTML part
  std::string chart_png;  // empty = no chart
};

// The mail for a report: layout in README.md, "Mail".
Mail compose_mail(const Report& report);

// Everything that goes over the wire, CRLF line ends, at most 78 columns in headers.
// `key` names the reason ("epoch-3"); with run and recipient it makes the Message-ID, so that
// building the mail twice gives the same Message-ID. A single id or address longer than a line
// stands alone on one. Throws Error(kConfig) if identity.from or recipient is not a valid address.
std::string render_message(const Mail& mail, const MailIdentity& identity, const Report& report,
                           const std::string& recipient, const std::string& key);

// ASCII local@domain without control characters, spaces, quotes or angle brackets; RFC 5321
// lengths.
bool is_valid_address(const std::string& address);

}  // namespace traind
