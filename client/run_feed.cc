#include "client/run_feed.h"

#include <algorithm>

#include "client/figures.h"
#include "client/terminal_text.h"

namespace traind {

namespace {

constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::milliseconds kLongestPause{2000};
constexpr std::chrono::seconds kStatusTimeout{5};

// gRPC takes a time of day and keeps what is left until then.
std::chrono::system_clock::time_point time_of_day(RunFeed::Clock::time_point moment) {
  const auto left = moment - RunFeed::Clock::now();
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(left);
}

// The daemon went away or is about to, as opposed to: it refuses.
bool is_interruption(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         status.error_code() == grpc::StatusCode::CANCELLED;
}

}  // namespace

RunFeed::RunFeed(Connection& connection, std::string run_id, std::int64_t after_sequence,
                 Deadline deadline)
    : connection_(connection),
      run_id_(std::move(run_id)),
      deadline_(deadline),
      after_sequence_(after_sequence),
      pause_(kFirstPause) {}

FeedItem RunFeed::next() {
  for (;;) {
    check_deadline();
    if (lost_) {
      if (auto item = reconnect()) return *item;
    } else if (stream_ == nullptr && !open()) {
      return FeedCancelled{};
    } else if (auto item = read()) {
      return *item;
    }
  }
}

void RunFeed::cancel() noexcept {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  if (context_ != nullptr) context_->TryCancel();
  cancelled_changed_.notify_all();
}

bool RunFeed::open() {
  v1::WatchRunRequest request;
  request.set_run(run_id_);
  request.set_after_sequence(after_sequence_);
  const std::lock_guard lock(mutex_);
  if (cancelled_) return false;
  context_ = std::make_unique<grpc::ClientContext>();
  if (deadline_) context_->set_deadline(time_of_day(*deadline_));
  stream_ = connection_.stub().WatchRun(context_.get(), request);
  return true;
}

void RunFeed::close() noexcept {
  stream_.reset();
  const std::lock_guard lock(mutex_);
  context_.reset();
}

std::optional<FeedItem> RunFeed::read() {
  v1::WatchRunResponse event;
  if (!stream_->Read(&event)) return finish();
  pause_ = kFirstPause;
  if (event.sequence() != 0) {
    if (event.sequence() <= after_sequence_) return std::nullopt;
    after_sequence_ = event.sequence();
  }
  return event;
}

FeedItem RunFeed::finish() {
  const grpc::Status status = stream_->Finish();
  close();
  {
    const std::lock_guard lock(mutex_);
    if (cancelled_) return FeedCancelled{};
  }
  check_deadline();
  if (!status.ok() && !is_interruption(status)) throw connection_.failure(status);
  lost_ = true;
  if (!status.ok()) return FeedLost{neutral(status.error_message())};
  // Only a stream that ended well has told everything.
  v1::GetStatusResponse now;
  const grpc::Status asked = fetch(now, Fetch::kAtOnce);
  if (asked.ok() && has_ended(now.run().state())) return FeedEnded{now};
  return FeedLost{asked.ok() ? "the stream of events ended" : neutral(asked.error_message())};
}

std::optional<FeedItem> RunFeed::reconnect() {
  v1::GetStatusResponse now;
  const grpc::Status status = fetch(now, Fetch::kWhenThere);
  if (status.ok()) {
    lost_ = false;
    return FeedRegained{now};
  }
  {
    const std::lock_guard lock(mutex_);
    if (cancelled_) return FeedCancelled{};
  }
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) return std::nullopt;
  if (!is_interruption(status)) throw connection_.failure(status);
  pause();
  return std::nullopt;
}

void RunFeed::pause() {
  std::unique_lock lock(mutex_);
  const auto until = Clock::now() + pause_;
  pause_ = std::min(pause_ * 2, kLongestPause);
  cancelled_changed_.wait_until(lock, deadline_ ? std::min(until, *deadline_) : until,
                                [this] { return cancelled_; });
}

grpc::Status RunFeed::fetch(v1::GetStatusResponse& status, Fetch fetch) {
  v1::GetStatusRequest request;
  request.set_run(run_id_);
  {
    const std::lock_guard lock(mutex_);
    if (cancelled_) return grpc::Status::CANCELLED;
    context_ = std::make_unique<grpc::ClientContext>();
    // gRPC moves a connection forward only while a call waits for it, so the time between two
    // attempts is spent in the call.
    context_->set_wait_for_ready(fetch == Fetch::kWhenThere);
    const Clock::time_point until = Clock::now() + kStatusTimeout;
    context_->set_deadline(time_of_day(deadline_ ? std::min(until, *deadline_) : until));
  }
  grpc::Status result = connection_.stub().GetStatus(context_.get(), request, &status);
  close();
  return result;
}

void RunFeed::check_deadline() const {
  if (deadline_ && Clock::now() >= *deadline_) {
    throw Failure(Exit::kTimeout, "the time given has passed and the run has not ended");
  }
}

}  // namespace traind
