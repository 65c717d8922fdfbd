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

Mailer::Mailer(Store& store, std::unique_ptr<MailTransport> transport, std::string from,
               MailerPace pace)
    : store_(store),
      transport_(std::move(transport)),
      from_(std::move(from)),
      pace_(pace),
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
  const auto mail =
      store_.read([&](Database& db) { return due_mail(db, now, pace_.longest_wait.count()); });
  if (!mail) return false;
  store_.write(
      [&](Database& db) { lease_mail(db, mail->id, now + wait_micros(mail->attempts + 1)); });
  tried_ = {*mail, transport_->send({from_, mail->recipient, mail->file_stem, mail->message})};
  record();
  return true;
}

void Mailer::record() {
  const auto& [mail, result] = *tried_;
  const std::int64_t now = unix_micros();
  const std::string detail = printable(result.detail);
  const bool too_late = now >= mail.give_up_micros;
  store_.write([&, &mail = mail, &result = result](Database& db) {
    if (result.outcome == SendOutcome::kSent) {
      mark_sent(db, mail.id, now);
    } else if (result.outcome == SendOutcome::kPermanent || too_late) {
      mark_dead(db, mail.id, detail);
    } else {
      mark_waiting(db, mail.id, detail, now + wait_micros(mail.attempts + 1));
    }
  });
  if (result.outcome == SendOutcome::kSent) {
    spdlog::info("mail {} to {} sent", printable(mail.file_stem), mail.recipient);
  } else {
    spdlog::warn("mail {} to {}: {}", printable(mail.file_stem), mail.recipient, detail);
  }
  tried_.reset();
}

std::int64_t Mailer::wait_micros(int attempts) const {
  std::chrono::microseconds wait = pace_.first_wait;
  for (int i = 1; i < attempts && wait < pace_.longest_wait; ++i) wait *= 2;
  return std::min(wait, pace_.longest_wait).count();
}

std::chrono::microseconds Mailer::until_next() const {
  const std::int64_t due = store_.read([](Database& db) { return next_due_micros(db); });
  if (due == 0 || !transport_) return kLongestSleep;
  const std::chrono::microseconds left(std::max<std::int64_t>(due - unix_micros(), 1000));
  return std::min(left, kLongestSleep);
}

}  // namespace traind
