// How a finished message leaves the machine: SMTP, or a folder of .eml files.
//
// send() waits for the network or the disk, up to the configured timeout, and is called from the
// mailer's thread only. It throws nothing: what went wrong is in the result.
#pragma once

#include <memory>
#include <string>

namespace traind {

enum class SendOutcome {
  kSent,
  kTemporary,  // 4xx, no connection, TLS or login trouble: try again later
  kPermanent,  // 5xx for this message or recipient: trying again is of no use
};

// Whom a failure that may pass concerns.
enum class SendTrouble {
  kMessage,  // this mail or its recipient: others may go
  kServer,   // the connection, encryption or a server that is busy: no mail can go
  kLogin,    // user or password: no mail can go, and asking often may lock the account
};

struct SendResult {
  SendOutcome outcome = SendOutcome::kTemporary;
  int code = 0;        // SMTP reply code; 0 = none came
  std::string detail;  // one printable line: the server's words, or what failed
  SendTrouble trouble = SendTrouble::kMessage;
  // All of it went out and no verdict came back (RFC 1047): it may have been delivered.
  bool perhaps_taken = false;
};

struct OutgoingMessage {
  std::string from;       // envelope, bare address
  std::string recipient;  // envelope, bare address
  std::string file_stem;  // unique and safe as a file name, "spelling-epoch-3-17"
  std::string bytes;      // the whole message
};

class MailTransport {
 public:
  virtual ~MailTransport() = default;
  virtual SendResult send(const OutgoingMessage& message) noexcept = 0;
  // "smtp://host:587" or the folder, for people.
  virtual std::string description() const = 0;
};

enum class SmtpTls { kStarttls, kImplicit, kNone };

struct SmtpSettings {
  std::string host;
  int port = 587;
  SmtpTls tls = SmtpTls::kStarttls;  // kStarttls: required, never "if offered"
  std::string user;                  // empty = no login
  std::string password_file;         // read at each send, so that it can be changed; never logged
  std::string ca_file;               // empty = the system's
  std::string helo;                  // EHLO name; empty = the host's name
  int timeout_seconds = 60;          // for a whole transaction
};

// Throws Error(kConfig): kNone with a user, or beyond loopback, is refused.
std::unique_ptr<MailTransport> make_smtp_transport(const SmtpSettings& settings);

// Writes FOLDER/FILE_STEM.eml durably; creates the folder. Throws Error(kIo).
std::unique_ptr<MailTransport> make_folder_transport(const std::string& folder);

}  // namespace traind
