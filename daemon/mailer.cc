#include "daemon/mailer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "daemon/logging.h"
#include "model/base/clock.h"

namespace traind {
namespace {

constexpr std::chrono::microseconds kLongestSleep = std::chrono::minutes(1);
constexpr std::chrono::seconds kAfterTrouble{1};

}  // namespace

std::chrono::microseconds MailerPace::wait(int failures, SendTrouble trouble) const {
  auto wait = trouble == SendTrouble::kLogin ? kLoginFactor * first_wait : first_wait;
  const auto most = trouble == SendTrouble::kServer ? longest_wait : longest();
  for (int i = 1; i < failures && wait < most; ++i) wait *= 2;
  return std::min(wait, most);
}

Mailer::Mailer(Store& store, const MailDesk& desk, std::unique_ptr<MailTransport> transport,
               std::string from, MailerPace pace)
    : store_(store),
      desk_(desk),
      transport_(std::move(transport)),
      from_(std::move(from)),
      pace_(pace),
      troubles_(store.read([](Database& db) { return count_mails(db).error.empty() ? 0 : 1; })),
      thread_([this] { loop(); }) {}

Mailer::~Mailer() {
  stop(std::chrono::milliseconds(0));
  thread_.join();
}

void Mailer::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

bool Mailer::stop(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
  return changed_.wait_for(lock, patience, [this] { return ended_; });
}

std::string Mailer::transport() const { return transport_ ? transport_->description() : "none"; }

void Mailer::loop() {
  std::chrono::microseconds sleep{0};
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, sleep, [this] { return woken_ || stopping_; });
      woken_ = false;
      if (stopping_) {
        ended_ = true;
        changed_.notify_all();
        return;
      }
    }
    try {
      sleep = transport_ && send_one() ? std::chrono::microseconds(0) : until_next();
    } catch (const std::exception& error) {
      spdlog::error("outbox: {}", printable(error.what()));
      sleep = kAfterTrouble;
    }
  }
}

bool Mailer::send_one() {
  if (tried_) record();
  const std::int64_t now = unix_micros();
  auto mail = store_.read([&](Database& db) { return due_mail(db, now, pace_.longest().count()); });
  if (!mail) return false;
  if (mail->run != 0 && !mail->last_error.empty() && fold(*mail)) return true;
  const std::int64_t waited = micros_since_last_attempt();
  const auto wait = pace_.wait(mail->attempts + 1, SendTrouble::kServer);
  store_.write([&](Database& db) {
    age_mails(db, waited);
    lease_mail(db, mail->id, now + wait.count());
  });
  mail->waited_micros += waited;
  tried_ = {*mail, transport_->send({from_, mail->recipient, mail->file_stem, mail->message})};
  record();
  return true;
}

// What piled up behind a mail that failed. True when the row is another one now.
bool Mailer::fold(const OutboxRow& mail) {
  const int folded = store_.write(
      [&](Database& db) { return desk_.fold(db, mail.run, mail.recipient, unix_micros()); });
  if (folded > 0) spdlog::info("{} waiting mails to {} are one now", folded, mail.recipient);
  return folded > 0;
}

void Mailer::record() {
  const auto& [mail, result] = *tried_;
  const std::int64_t now = unix_micros();
  const std::string detail = printable(result.detail);
  const bool failed = result.outcome == SendOutcome::kTemporary;
  const bool too_late = mail.waited_micros >= pace_.give_up.count();
  // A verdict on one mail shows that the server is there for the others.
  const int troubles = failed && result.trouble != SendTrouble::kMessage ? troubles_ + 1 : 0;
  const std::int64_t again =
      now + pace_.wait(std::max(mail.attempts + 1, troubles), result.trouble).count();
  store_.write([&, &mail = mail, &result = result](Database& db) {
    if (troubles == 0 && troubles_ > 0) release_mails(db, now);
    if (result.outcome == SendOutcome::kSent) {
      mark_sent(db, mail.id, now);
    } else if (!failed || too_late) {
      mark_dead(db, mail.id, detail);
    } else {
      mark_waiting(db, mail.id, detail, mail.perhaps_sent || result.perhaps_taken, again);
    }
    if (troubles > 0) hold_mails(db, detail, again);
  });
  troubles_ = troubles;
  if (result.outcome == SendOutcome::kSent) {
    spdlog::info("mail {} to {} sent", printable(mail.file_stem), mail.recipient);
  } else {
    spdlog::warn("mail {} to {}: {}", printable(mail.file_stem), mail.recipient, detail);
  }
  tried_.reset();
}

// For all that wait; of a mail that came meanwhile it is too much, by one wait at most.
std::int64_t Mailer::micros_since_last_attempt() {
  const auto now = std::chrono::steady_clock::now();
  const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(now - last_attempt_);
  last_attempt_ = now;
  return std::min(passed, pace_.longest()).count();
}

std::chrono::microseconds Mailer::until_next() const {
  const std::int64_t due = store_.read([](Database& db) { return next_due_micros(db); });
  if (due == 0 || !transport_) return kLongestSleep;
  const std::chrono::microseconds left(std::max<std::int64_t>(due - unix_micros(), 1000));
  return std::min(left, kLongestSleep);
}

}  // namespace traind
