// What tests of the supervisor share: one with real processes, fake_worker.py, which does what each
// plan says.
#pragma once

#include <gmock/gmock.h>
#include <poll.h>

#include <csignal>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/event_rows.h"
#include "daemon/outbox.h"
#include "daemon/supervisor.h"
#include "daemon/training_rows.h"
#include "daemon/ulid.h"
#include "model/base/clock.h"
#include "tests/daemon/scratch.h"
#include "traind/v1/training.pb.h"

namespace traind {

class SupervisorTest : public ::testing::Test {
 protected:
  SupervisorTest()
      : config_(quick_config(scratch_)), store_(config_.database()), desk_(config_.mail, "gpu1") {
    std::signal(SIGPIPE, SIG_IGN);
  }

  void boot() {
    supervisor_ = std::make_unique<Supervisor>(
        RunSurroundings{config_, store_, board_, desk_, [] {}}, [this](const Pulse& pulse) {
          const std::lock_guard lock(pulse_mutex_);
          pulse_ = pulse;
        });
    supervisor_->begin();
  }
  void shut_down() {
    supervisor_->stop();
    pollfd ended{supervisor_->ended_descriptor(), POLLIN, 0};
    ASSERT_EQ(poll(&ended, 1, 30'000), 1);
    supervisor_.reset();
  }
  void die() { supervisor_.reset(); }

  std::int64_t start(const std::string& name, const std::string& plan) {
    RunRow run;
    run.created_micros = unix_micros();
    run.id = make_ulid(run.created_micros);
    run.name = name;
    run.epochs = 3;
    run.started.config = "name = \"" + name + "\"\n" + plan;
    write_file(config_.run_folder(run.id) + "/run.toml", run.started.config);
    return supervisor_->start_run(run).run;
  }
  RunRow row(std::int64_t run) const {
    return *store_.read([&](Database& db) { return run_by_number(db, run); });
  }
  bool comes_to(std::int64_t run, RunState state) const {
    return eventually([&] { return row(run).state == state; });
  }
  std::vector<MetricRow> rows(std::int64_t run) const {
    return store_.read([&](Database& db) { return metrics_after(db, run, 0, 1000); });
  }
  std::vector<std::string> mails() const {
    std::vector<std::string> keys;
    for (const auto& mail : store_.read([](Database& db) { return list_mails(db, 100); })) {
      keys.insert(keys.begin(), mail.kind);
    }
    return keys;
  }
  std::vector<std::string> states(std::int64_t run) const {
    std::vector<std::string> states;
    for (const auto& event :
         store_.read([&](Database& db) { return events_after(db, run, 0, 999); })) {
      v1::WatchRunResponse message;
      message.ParseFromString(event.payload);
      if (!message.has_state_change()) continue;
      states.emplace_back(name_of(static_cast<RunState>(message.state_change().state())));
    }
    return states;
  }
  std::string attempts(std::int64_t run) const {
    return content_of(config_.run_folder(row(run).id) + "/attempts");
  }

  Scratch scratch_;
  DaemonConfig config_;
  Store store_;
  StatusBoard board_;
  MailDesk desk_;
  std::mutex pulse_mutex_;
  Pulse pulse_;
  std::unique_ptr<Supervisor> supervisor_;
};

inline constexpr const char* kWhole =
    "#! started; rows 10; checkpoint 10 2; epoch_done 1; rows 10; epoch_done 2; end";

}  // namespace traind
