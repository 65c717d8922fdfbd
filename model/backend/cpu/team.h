// Compute threads that live as long as the backend, and the shares of work they take.
//
// Owned by the backend's thread, which alone calls run(); run() waits until every lane is done.
// Work that is too small to be worth waking anybody runs on the caller, as the only lane.
// On Linux the threads run at nice +10, so that whoever answers a status request goes first.
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace traind::cpu {

struct Range {
  int begin = 0;
  int end = 0;
  int size() const { return end - begin; }
};

// Where lanes wait for each other. Sleeps after a short spin: on a shared machine a spinning
// barrier costs a scheduler tick each time.
class Barrier {
 public:
  void wait(int lanes);

 private:
  std::atomic<int> arrived_{0};
  std::atomic<unsigned> round_{0};
};

// One thread's view of a job.
class Lane {
 public:
  Lane(int index, int count, Barrier* barrier) : index_(index), count_(count), barrier_(barrier) {}
  int index() const { return index_; }
  int count() const { return count_; }
  // All lanes have come this far, and see what the others wrote.
  void wait_for_all() const {
    if (count_ > 1) barrier_->wait(count_);
  }
  // This lane's part of [0, n), cut at multiples of `grain`.
  Range share(int n, int grain = 1) const;

 private:
  int index_;
  int count_;
  Barrier* barrier_;
};

class Team {
 public:
  // 0 = one thread per core the process may use.
  explicit Team(int threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return static_cast<int>(threads_.size()); }
  // How many lanes run() will use for work of so many arithmetic operations.
  int lanes_for(double operations) const { return operations < kWorthwhile ? 1 : size(); }

  // Calls work(lane) in `lanes` lanes (1, on the caller, or size()); work must not throw.
  template <class Work>
  void run(int lanes, Work&& work) {
    if (lanes <= 1) {
      work(Lane(0, 1, nullptr));
      return;
    }
    run_on_all([](void* job, const Lane& lane) { (*static_cast<std::decay_t<Work>*>(job))(lane); },
               &work);
  }

 private:
  using Job = void (*)(void*, const Lane&);
  static constexpr double kWorthwhile = 2e6;  // about 10 us of one thread, what waking costs

  void run_on_all(Job job, void* argument);
  void serve(int index);

  Barrier barrier_;
  std::atomic<unsigned> call_{0};
  std::atomic<int> busy_{0};
  std::atomic<bool> closing_{false};
  Job job_ = nullptr;         // written before call_ moves on
  void* argument_ = nullptr;  // likewise
  int lanes_ = 0;             // constant after construction
  std::vector<std::thread> threads_;
};

// Cores this process may run on.
int usable_cores() noexcept;

}  // namespace traind::cpu
