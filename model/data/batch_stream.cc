#include "model/data/batch_stream.h"

#include <utility>

namespace traind {

BatchStream::BatchStream(std::int64_t first, std::int64_t count,
                         std::function<Batch(std::int64_t)> load, std::size_t ahead)
    : load_(std::move(load)), ahead_(ahead), thread_([this, first, count] { run(first, count); }) {}

BatchStream::~BatchStream() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void BatchStream::run(std::int64_t first, std::int64_t count) {
  try {
    for (std::int64_t k = first; k < count; ++k) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return closing_ || loaded_.size() < ahead_; });
        if (closing_) return;
      }
      Batch batch = load_(k);
      {
        const std::lock_guard lock(mutex_);
        loaded_.push_back(std::move(batch));
      }
      changed_.notify_all();
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
  }
  changed_.notify_all();
}

Batch BatchStream::next() {
  Batch batch;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !loaded_.empty() || failure_ != nullptr; });
    if (loaded_.empty()) std::rethrow_exception(failure_);
    batch = std::move(loaded_.front());
    loaded_.pop_front();
  }
  changed_.notify_all();
  return batch;
}

}  // namespace traind
