// Sends what lies in the outbox, one mail at a time, on a thread of its own.
//
// Nothing else ever waits for it. A mail that fails for now is tried again after growing waits; it
// is dead after a permanent refusal or three days of trying, by the steady clock: a clock that
// jumps kills no mail. While the server is not there no mail is tried but one, and what gathers in
// the meantime goes as a digest. The attempt is counted before it is made, and each try carries
// the same Message-ID: a crash between the server's "250" and our note of it repeats a mail at most
// in a form that mail programs recognise as the same.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "daemon/mail_desk.h"
#include "daemon/outbox.h"
#include "daemon/store.h"
#include "notifier/mail_transport.h"

namespace traind {

struct MailerPace {
  std::chrono::microseconds first_wait = std::chrono::minutes(1);  // doubled with each failure
  // Where nobody answers: somebody may be waiting for the mail, and asking costs little.
  std::chrono::microseconds longest_wait = std::chrono::minutes(15);
  std::chrono::microseconds give_up = std::chrono::hours(72);
  // Waits after a refused login begin with so many of first_wait: providers lock accounts.
  static constexpr int kLoginFactor = 5;
  // Waits after any answer that is a no, a refused login among them, end with so many of
  // longest_wait.
  static constexpr int kRefusedFactor = 4;

  // After the n-th failure in a row.
  std::chrono::microseconds wait(int failures, SendTrouble trouble) const;
  std::chrono::microseconds longest() const { return kRefusedFactor * longest_wait; }
};

class Mailer {
 public:
  // `from` is the envelope's sender. `transport` may be null: then nothing is ever sent.
  Mailer(Store& store, const MailDesk& desk, std::unique_ptr<MailTransport> transport,
         std::string from, MailerPace pace = {});
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
  bool fold(const OutboxRow& mail);
  void record();
  std::int64_t micros_since_last_attempt();
  std::chrono::microseconds until_next() const;

  Store& store_;
  const MailDesk& desk_;
  const std::unique_ptr<MailTransport> transport_;
  const std::string from_;
  const MailerPace pace_;

  // Mailer's thread only.
  std::optional<std::pair<OutboxRow, SendResult>> tried_;  // and is not in the database yet
  int troubles_;  // attempts in a row at which the server was not there for any mail
  std::chrono::steady_clock::time_point last_attempt_ = std::chrono::steady_clock::now();

  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;     // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  bool ended_ = false;     // guarded by mutex_

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace traind
