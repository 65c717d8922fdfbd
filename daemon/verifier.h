// Tries whether a run can be resumed, in a process of its own (`traind-worker verify`): one at a
// time, apart from the run, ended as soon as its caller is gone.
//
// begin() and stop() may be called on any thread. A thread of its own waits for the process; what
// it hears is taken by the pump's thread. Outlives the streams that it feeds.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "daemon/config.h"
#include "daemon/feeds.h"
#include "daemon/run_rows.h"
#include "daemon/stream_pump.h"
#include "traind/v1/training.pb.h"

namespace traind {

class Verifier {
 public:
  // Removes what a daemon that was killed left behind, as begin() does.
  explicit Verifier(const DaemonConfig& config);
  // Ends the one under way and waits until it is gone.
  ~Verifier();
  Verifier(const Verifier&) = delete;
  Verifier& operator=(const Verifier&) = delete;

  struct Verification;
  // For one stream: what it says next. The verification is ended with the object. Pump's thread.
  class Feed {
   public:
    explicit Feed(std::shared_ptr<Verification> verification);
    ~Feed();
    Feed(const Feed&) = delete;
    Feed& operator=(const Feed&) = delete;
    // Throws the Error that it ended with.
    FeedStep next(v1::VerifyRunResponse& out, StreamPump::Clock::time_point now);

   private:
    const std::shared_ptr<Verification> verification_;
    bool began_ = false;
    std::int64_t told_ = 0;  // serial of progress
    bool told_result_ = false;
  };

  // Throws Error(kState) while another is under way; waits for one that is being ended.
  std::shared_ptr<Feed> begin(const RunRow& run, const v1::VerifyStarted& started);
  // Asks the one under way to end; later ones are refused.
  void stop() noexcept;

 private:
  // Of a daemon that was killed, and of the worker that outlived it for a moment. While nothing of
  // ours is there.
  void remove_leftovers() const noexcept;
  void work(const RunRow& run, Verification& verification) const;

  const DaemonConfig& config_;
  const std::string folder_;  // of all scratch folders
  std::mutex mutex_;
  std::shared_ptr<Verification> current_;  // guarded by mutex_
  std::thread thread_;                     // likewise; of current_
  bool stopping_ = false;                  // likewise
};

}  // namespace traind
