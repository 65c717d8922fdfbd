#include "model/checkpoint/writer.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace traind {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Floats of a slot. Throws Error(kInternal) when it does not lie within the row.
std::size_t checked_size(const SaveRequest::Slot& slot, std::size_t row_size) {
  std::size_t size = 1;
  bool fits = slot.offset <= row_size;
  for (const std::int64_t extent : slot.shape) {
    fits = fits && extent >= 0 &&
           !__builtin_mul_overflow(size, static_cast<std::size_t>(extent), &size);
  }
  if (!fits || size > row_size - slot.offset) {
    throw Error(ErrorKind::kInternal, "tensor " + slot.name + " does not lie within the row");
  }
  return size;
}

}  // namespace

struct CheckpointWriter::Impl {
  explicit Impl(CheckpointStore& its_store) : store(its_store) {}

  void run();
  SaveResult save();
  void write(SaveResult& result);
  void begin();
  void moved(std::uint64_t bytes);
  std::optional<SaveResult> take();

  // Constant after construction.
  CheckpointStore& store;

  // The trainer's while `busy` is false, the thread's while it is true.
  SaveRequest::Row row;
  SaveRequest request;
  double stall_seconds = 0;

  std::mutex mutex;
  std::condition_variable changed;
  // Guarded by mutex.
  bool busy = false;
  bool stopping = false;
  std::uint64_t moves = 0;       // chunks written, syncs and renames done, ever
  std::uint64_t told_moves = 0;  // of which `alive` has heard
  // Of the save under way.
  Clock::time_point moved_at;  // its last move, or its beginning
  std::uint64_t written = 0;
  bool given_up = false;
  std::deque<SaveResult> results;

  std::thread thread;
};

void CheckpointWriter::Impl::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [&] { return busy || stopping; });
    if (!busy) return;
    lock.unlock();
    SaveResult result = save();
    lock.lock();
    results.push_back(std::move(result));
    busy = false;
    changed.notify_all();
  }
}

SaveResult CheckpointWriter::Impl::save() {
  SaveResult result;
  result.step = request.step;
  result.stall_seconds = stall_seconds;
  try {
    write(result);
  } catch (const Error& error) {
    result.error = error;
    return result;
  } catch (const std::exception& caught) {
    const Error error = error_of(caught);
    result.error = Error(error.kind(), std::string("saving failed: ") + error.what());
    return result;
  }
  // Only now is there something newer to fall back on.
  try {
    result.pruned = store.prune(request.keep, request.best_step, [&] { moved(result.bytes); });
  } catch (const Error& error) {
    result.prune_error = error;
  }
  return result;
}

void CheckpointWriter::Impl::write(SaveResult& result) {
  const Clock::time_point start = Clock::now();
  result.file = checkpoint_name(request.step);
  CheckpointView view;
  view.metadata = request.metadata;  // kept: the save may fail and come again
  std::vector<TensorView> digested;
  const std::span<const float> values = row();
  for (const SaveRequest::Slot& slot : request.tensors) {
    const std::size_t size = checked_size(slot, values.size());
    view.tensors.push_back({slot.name, slot.shape, values.subspan(slot.offset, size)});
    if (slot.digested) digested.push_back(view.tensors.back());
  }
  result.digest = digest_of(digested);
  view.metadata[kDigestKey] = result.digest;
  moved(0);
  store.save(request.step, view, [&](std::uint64_t bytes) {
    result.bytes = bytes;
    moved(bytes);
  });
  result.write_seconds = seconds_since(start);
}

// With mutex held.
void CheckpointWriter::Impl::begin() {
  busy = true;
  told_moves = moves;
  moved_at = Clock::now();
  written = 0;
  given_up = false;
  changed.notify_all();
}

void CheckpointWriter::Impl::moved(std::uint64_t bytes) {
  const std::lock_guard lock(mutex);
  ++moves;
  moved_at = Clock::now();
  written = bytes;
  if (given_up) throw Error(ErrorKind::kCancelled, "given up for a newer checkpoint");
}

// With mutex held.
std::optional<SaveResult> CheckpointWriter::Impl::take() {
  if (results.empty()) return std::nullopt;
  SaveResult result = std::move(results.front());
  results.pop_front();
  return result;
}

CheckpointWriter::CheckpointWriter(CheckpointStore& store) : impl_(std::make_unique<Impl>(store)) {
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

CheckpointWriter::~CheckpointWriter() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  impl_->thread.join();
}

bool CheckpointWriter::submit(SaveRequest request, bool wait) {
  const Clock::time_point start = Clock::now();
  std::unique_lock lock(impl_->mutex);
  if (impl_->busy && !wait) return false;
  impl_->changed.wait(lock, [&] { return !impl_->busy; });
  // Unlocked meanwhile: nobody but this thread makes it busy.
  lock.unlock();
  for (const SaveRequest::Slot& slot : request.tensors) checked_size(slot, request.row_size);
  impl_->row = request.snapshot();
  request.snapshot = nullptr;
  lock.lock();
  impl_->request = std::move(request);
  impl_->stall_seconds = seconds_since(start);
  impl_->begin();
  return true;
}

void CheckpointWriter::again() {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->busy || !impl_->row) {
    throw Error(ErrorKind::kInternal, "there is no failed save to try again");
  }
  impl_->stall_seconds = 0;
  impl_->begin();
}

void CheckpointWriter::hurry() {
  const std::lock_guard lock(impl_->mutex);
  const std::uint64_t half = impl_->request.row_size * sizeof(float) / 2;
  impl_->given_up = impl_->busy && impl_->written < half;
}

double CheckpointWriter::still_seconds() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->busy ? seconds_since(impl_->moved_at) : 0;
}

std::optional<SaveResult> CheckpointWriter::poll() {
  const std::lock_guard lock(impl_->mutex);
  return impl_->take();
}

std::optional<SaveResult> CheckpointWriter::wait(const std::function<void()>& alive) {
  constexpr std::chrono::milliseconds kLook(200);
  std::unique_lock lock(impl_->mutex);
  while (!impl_->changed.wait_for(lock, kLook, [&] { return !impl_->busy; })) {
    if (std::exchange(impl_->told_moves, impl_->moves) == impl_->moves || !alive) continue;
    lock.unlock();
    alive();
    lock.lock();
  }
  return impl_->take();
}

}  // namespace traind
