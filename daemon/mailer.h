// Sends what lies in the outbox, one mail at a time, on a thread of its own.
//
// Nothing else ever waits for it. A mail that fails for now is tried again after 1 min, 2, 4, ...
// up to 6 h; it is dead after a permanent refusal or three days. The attempt is counted before it
// is made, and each try carries the same Message-ID: a crash between the server's "250" and our
// note of it repeats a mail at most in a form that mail programs recognise as the same.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "daemon/outbox.h"
#include "daemon/store.h"
#include "notifier/mail_transport.h"

namespace traind {

struct MailerPace {
  std::chrono::microseconds first_wait = std::chrono::minutes(1);
  std::chrono::microseconds longest_wait = std::chrono::hours(6);
};

class Mailer {
 public:
  // `from` is the envelope's sender. `transport` may be null: then nothing is ever sent.
  Mailer(Store& store, std::unique_ptr<MailTransport> transport, std::string from,
         MailerPace pace = {});
  // Waits for a send under way: its network timeout at most. See stop().
  ~Mailer();
  Mailer(const Mailer&) = delete;
  Mailer& operator=(const Mailer&) = delete;

  // A mail may have been put into the outbox. Never waits.
  void wake();
  // No further mail is begun. True when the one under way ended within `patience`.
  bool stop(std::chrono::milliseconds patience);
  // For people: "smtp://host:587", a folder, or "none".
  std::string transport() const;

 private:
  void loop();
  bool send_one();
  void record();
  std::int64_t wait_micros(int attempts) const;
  std::chrono::microseconds until_next() const;

  Store& store_;
  const std::unique_ptr<MailTransport> transport_;
  const std::string from_;
  const MailerPace pace_;

  // Mailer's thread only: what was tried and is not in the database yet.
  std::optional<std::pair<OutboxRow, SendResult>> tried_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;     // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  bool ended_ = false;     // guarded by mutex_

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace traind
