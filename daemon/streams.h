// A server stream that the pump moves on: one message under way at most, ended by its feed, by
// the caller or by the daemon.
//
// Made with new by the service; deletes itself when gRPC says that all is done.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <mutex>
#include <utility>

#include "daemon/feeds.h"
#include "daemon/rpc_error.h"
#include "daemon/stream_pump.h"

namespace traind {

template <typename Response>
class PumpedStream final : public grpc::ServerWriteReactor<Response> {
 public:
  using Clock = StreamPump::Clock;
  using Next = std::function<FeedStep(Response&, Clock::time_point)>;

  PumpedStream(StreamPump& pump, Next next) : pump_(pump), next_(std::move(next)) {
    id_ = pump_.add([this](Clock::time_point now, bool closing) { return advance(now, closing); });
    if (id_ == 0) {
      end({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many streams are open; close some"});
    }
  }

  void OnWriteDone(bool ok) override {
    {
      const std::lock_guard lock(mutex_);
      writing_ = false;
      if (!ok) cancelled_ = true;
    }
    pump_.ready(id_);
  }
  void OnCancel() override {
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
    }
    pump_.ready(id_);
  }
  void OnDone() override {
    if (id_ != 0) pump_.remove(id_);
    delete this;
  }

 private:
  Clock::time_point advance(Clock::time_point now, bool closing) {
    const std::lock_guard lock(mutex_);
    if (writing_ || ended_) return Clock::time_point::max();
    if (cancelled_) return end({grpc::StatusCode::CANCELLED, "the caller went away"});
    if (closing) return end({grpc::StatusCode::UNAVAILABLE, "the daemon is stopping"});
    try {
      const FeedStep step = next_(message_, now);
      if (step.state == FeedState::kNothing) return step.again;
      if (step.state == FeedState::kEnd) return end(grpc::Status::OK);
    } catch (const Error& error) {
      return end(rpc_status(error));
    }
    writing_ = true;
    this->StartWrite(&message_);
    return Clock::time_point::max();
  }

  Clock::time_point end(const grpc::Status& status) {
    ended_ = true;
    this->Finish(status);
    return Clock::time_point::max();
  }

  StreamPump& pump_;
  const Next next_;
  std::int64_t id_ = 0;
  std::mutex mutex_;
  Response message_;        // the pump's until StartWrite, then gRPC's until OnWriteDone
  bool writing_ = false;    // guarded by mutex_
  bool cancelled_ = false;  // guarded by mutex_
  bool ended_ = false;      // guarded by mutex_
};

// A stream that says nothing but why not.
template <typename Response>
class RefusedStream final : public grpc::ServerWriteReactor<Response> {
 public:
  explicit RefusedStream(const grpc::Status& status) { this->Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace traind
