// A TrainingService with canned answers on a real Unix socket, in the test's process: for what a
// real daemon cannot be made to do on demand, such as each of gRPC's error codes.
//
// Thread-safe. The socket lies in a folder of its own, removed at the end.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "traind/v1/training.grpc.pb.h"

namespace traind::test {

// What the daemon answers and what it was asked; guarded by `mutex`.
struct Canned {
  std::mutex mutex;
  std::condition_variable changed;
  grpc::Status refusal;  // not OK = the answer to everything
  v1::GetStatusResponse status;
  std::vector<v1::WatchRunResponse> events;
  std::vector<v1::Run> runs;  // in pages of two
  v1::ListMetricsResponse metrics;
  std::size_t metrics_page = 1000;
  std::vector<std::string> log_pieces;
  v1::StartRunRequest started;
  v1::ResumeRunRequest resumed;
  int metrics_calls = 0;
  std::vector<std::int64_t> watched_after;  // of each WatchRun
  std::vector<int> translated_lines;        // of each Translate
  std::string translate_suffix;
  v1::TranslateRequest translated;  // the newest
  v1::VerifyRunRequest verified;    // likewise
  std::vector<v1::VerifyRunResponse> verification;
  grpc::Status verification_end;  // after them
};

class FakeDaemon {
 public:
  FakeDaemon();
  ~FakeDaemon();

  std::string host() const { return "unix://" + socket_; }
  const std::string& socket() const { return socket_; }
  void start();
  void stop();  // breaks open streams off

  template <class Change>
  void set(Change change) {
    const std::lock_guard lock(canned_.mutex);
    change(canned_);
    canned_.changed.notify_all();
  }
  // Waits until it holds; false after 10 s.
  template <class Condition>
  bool wait_until(Condition condition) {
    std::unique_lock lock(canned_.mutex);
    return canned_.changed.wait_for(lock, std::chrono::seconds(10),
                                    [&] { return condition(canned_); });
  }
  void tell(const v1::WatchRunResponse& event);
  // The run's state as GetStatus tells it, and an event that says so.
  void change_state(v1::RunState state, const std::string& reason);

 private:
  class Service;
  Canned canned_;
  std::string folder_;
  std::string socket_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace traind::test
