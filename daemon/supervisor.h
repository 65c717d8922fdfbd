// Executes the queue of runs, one after another, each in a worker process of its own.
//
// Owns one thread, which alone changes runs in the database and alone touches workers. The public
// methods may be called from any thread; those with an answer wait for that thread (milliseconds)
// and throw Error: kState when the run's state does not allow it, kCancelled when the daemon ends.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "daemon/active_run.h"
#include "daemon/disk_watch.h"
#include "daemon/errand_queue.h"
#include "daemon/run_settings.h"

namespace traind {

// What the supervisor's loop says about itself, after each turn (at least once a second).
struct Pulse {
  bool healthy = true;  // the loop turns, and the active run shows life or is being dealt with
  bool stopping = false;
  std::string status;  // a line for people
};

// How a run is to go on.
struct ResumeWish {
  bool accept_changed_data = false;
  WantedSettings settings = {};
};

class Supervisor {
 public:
  using OnTurn = std::function<void(const Pulse&)>;

  // `on_turn` is called on the supervisor's thread.
  Supervisor(RunSurroundings around, OnTurn on_turn);
  // Waits for the thread, after leave().
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Starts the thread, which takes up unfinished runs of an earlier daemon. What is asked before
  // waits until then.
  void begin();

  RunRow start_run(RunRow run);
  RunRow stop_run(std::int64_t run);
  // Throws also kConfig when the wanted settings cannot be; nothing has changed then.
  RunRow resume_run(std::int64_t run, const ResumeWish& wish);
  void save_checkpoint(std::int64_t run);

  // The worker is asked to save; the run goes on when the next daemon starts. Does not wait.
  void stop() noexcept;
  // Within which stop() comes to its end, however the worker behaves.
  static std::chrono::milliseconds longest_stop(const WorkerSettings& worker);
  // Ends at once; the worker saves and ends on its own. Does not wait.
  void leave() noexcept;
  // Readable once the thread has ended.
  int ended_descriptor() const { return ended_.get(); }

 private:
  void loop();
  void turn();
  void recover();
  void begin_next();
  void watch_disk(ActiveRun::Clock::time_point now);
  void show_troubles();
  void wait_for_something();
  std::string status_line() const;
  RunRow row_of(std::int64_t run) const;
  std::string run_file_text(const RunRow& run) const;
  RunRow change_state(std::int64_t run, RunState state, const std::string& reason);

  const RunSurroundings around_;
  const OnTurn on_turn_;
  ErrandQueue errands_;
  const Descriptor ended_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> leave_{false};

  // Supervisor's thread only.
  std::unique_ptr<ActiveRun> active_;
  bool recovered_ = false;
  bool stopping_ = false;
  std::string trouble_;  // why the last turn failed: the next one comes a second later
  DiskWatch disk_watch_;
  ActiveRun::Clock::time_point next_look_;  // at the disk
  ActiveRun::Clock::time_point give_up_at_ = ActiveRun::Clock::time_point::max();

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace traind
