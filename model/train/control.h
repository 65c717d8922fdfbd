// What others may ask of a trainer: stop, save, and "that much is stored".
//
// Every method is safe on any thread and in no way waits; the trainer looks between two steps.
#pragma once

#include <atomic>
#include <cstdint>

namespace traind {

class TrainerControl {
 public:
  // Save, then end. Cannot be taken back.
  void request_stop() noexcept { stop_.store(true); }
  bool stop_requested() const noexcept { return stop_.load(); }

  // From now on there may be something to save. Before, a stop may simply end the process.
  void began() noexcept { began_.store(true); }
  bool has_begun() const noexcept { return began_.load(); }

  // Save at the next step, then go on.
  void request_save() noexcept { save_.store(true); }
  bool take_save_request() noexcept { return save_.exchange(false); }

  // Whoever records events has those up to this step in durable storage. What is not acknowledged
  // travels in every checkpoint and is told again after a resume.
  void acknowledge(std::int64_t step) noexcept {
    std::int64_t known = stored_.load();
    while (step > known && !stored_.compare_exchange_weak(known, step)) {
    }
  }
  std::int64_t acknowledged() const noexcept { return stored_.load(); }

 private:
  static_assert(std::atomic<bool>::is_always_lock_free);
  std::atomic<bool> stop_{false};
  std::atomic<bool> began_{false};
  std::atomic<bool> save_{false};
  std::atomic<std::int64_t> stored_{-1};
};

}  // namespace traind
