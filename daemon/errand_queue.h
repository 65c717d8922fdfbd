// Lets any thread have something done on the supervisor's thread and wait for the answer.
//
// ask() waits until the supervisor has looked, which it does within milliseconds; what the errand
// throws comes out of ask(). After close() every ask() throws Error(kCancelled).
#pragma once

#include <sys/eventfd.h>

#include <cerrno>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "daemon/descriptor.h"
#include "model/base/error.h"

namespace traind {

class ErrandQueue {
 public:
  ErrandQueue() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_.open()) throw system_error("eventfd", errno);
  }

  template <typename Work>
  auto ask(Work work) -> decltype(work()) {
    using Result = decltype(work());
    auto errand = std::make_shared<std::packaged_task<Result()>>(std::move(work));
    std::future<Result> answer = errand->get_future();
    {
      const std::lock_guard lock(mutex_);
      if (closed_) throw stopping();
      errands_.push_back([errand] { (*errand)(); });
    }
    errand.reset();  // the queue's is the last one: dropping it breaks the promise
    wake();
    try {
      return answer.get();
    } catch (const std::future_error&) {
      throw stopping();
    }
  }

  void wake() noexcept {
    // Full means that it is readable already.
    [[maybe_unused]] const int ignored = eventfd_write(wake_.get(), 1);
  }

  // The rest is the supervisor's.
  int descriptor() const { return wake_.get(); }
  void run_all() {
    eventfd_t ignored = 0;
    eventfd_read(wake_.get(), &ignored);
    std::vector<std::function<void()>> errands;
    {
      const std::lock_guard lock(mutex_);
      errands.swap(errands_);
    }
    for (const auto& errand : errands) errand();
  }
  void close() {
    std::vector<std::function<void()>> dropped;
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(errands_);
  }

 private:
  static Error stopping() { return {ErrorKind::kCancelled, "the daemon is stopping"}; }

  const Descriptor wake_;
  std::mutex mutex_;
  std::vector<std::function<void()>> errands_;  // guarded by mutex_
  bool closed_ = false;                         // guarded by mutex_
};

}  // namespace traind
