// A real SMTP server (smtp_server.py) for as long as the object lives, and certificates for it.
//
// Waits for the server to listen. Throws std::runtime_error if it does not within ten seconds.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace traind {

struct Certificate {
  std::string file;  // PEM; its own issuer, so it is the ca_file too
  std::string key;
};

// Made by openssl(1); `host` is the only name it is good for.
Certificate make_certificate(const std::string& folder, const std::string& host);

class SmtpServer {
 public:
  // `arguments` as in smtp_server.py --help, without --folder.
  SmtpServer(const std::string& folder, const std::vector<std::string>& arguments);
  ~SmtpServer();
  SmtpServer(const SmtpServer&) = delete;
  SmtpServer& operator=(const SmtpServer&) = delete;

  int port() const { return port_; }
  // What has been delivered so far, oldest first.
  std::vector<std::string> mails() const;
  std::string events() const;

 private:
  const std::string folder_;
  pid_t pid_ = -1;
  int port_ = 0;
};

}  // namespace traind
