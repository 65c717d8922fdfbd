// A few threads for requests that take seconds: the check before a start, translating.
//
// submit() on any thread; never waits, and says no when too much waits already. The destructor
// asks running jobs to stop (by their token), runs the waiting ones with that token, and waits.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace traind {

class Jobs {
 public:
  using Job = std::function<void(const std::stop_token&)>;

  Jobs(int threads, std::size_t most_waiting);
  ~Jobs();
  Jobs(const Jobs&) = delete;
  Jobs& operator=(const Jobs&) = delete;

  // False when the queue is full. The job must not throw.
  bool submit(Job job);
  // Asks all jobs, present and coming, to end soon.
  void stop() noexcept;

 private:
  void work();

  const std::size_t most_waiting_;
  std::stop_source stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> waiting_;  // guarded by mutex_
  bool closed_ = false;      // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace traind
