// The batches of an epoch one after the other, read ahead by a thread of its own, so that training
// does not wait for noise and tokens to be made.
//
// Owned and called by one thread. Corpus, plan and vocabularies must outlive it; they are only
// read. What it hands out is the same as load_batch() gives.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "model/data/batches.h"

namespace traind {

class BatchStream {
 public:
  // Calls load(k) for k = first, first + 1, ... up to count - 1, on its thread, at most `ahead`
  // batches before they are asked for.
  BatchStream(std::int64_t first, std::int64_t count, std::function<Batch(std::int64_t)> load,
              std::size_t ahead = kAhead);
  // Waits for a batch being loaded.
  ~BatchStream();
  BatchStream(const BatchStream&) = delete;
  BatchStream& operator=(const BatchStream&) = delete;

  // The next batch; waits until it is loaded. Must not be called more often than there are batches.
  // Throws what load(k) threw, in k's turn; the stream is at its end then.
  Batch next();

 private:
  static constexpr std::size_t kAhead = 2;

  void run(std::int64_t first, std::int64_t count);

  const std::function<Batch(std::int64_t)> load_;
  const std::size_t ahead_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> loaded_;    // guarded by mutex_
  std::exception_ptr failure_;  // likewise
  bool closing_ = false;        // likewise
  std::thread thread_;
};

}  // namespace traind
