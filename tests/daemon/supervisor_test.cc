// The supervisor with real processes: fake_worker.py does what each plan says.
#include "tests/daemon/supervisor_case.h"

#include <cmath>

#include "daemon/messages.h"

namespace traind {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(SupervisorTest, RecordsAWholeRun) {
  boot();
  const std::int64_t run = start("a", kWhole);
  ASSERT_TRUE(comes_to(run, RunState::kCompleted)) << row(run).reason;
  EXPECT_EQ(rows(run).size(), 20u);
  EXPECT_EQ(row(run).step, 20);
  EXPECT_EQ(row(run).trained_seconds, 12.5);
  EXPECT_EQ(row(run).started.device_name, "A fake processor");
  EXPECT_EQ(store_.read([&](Database& db) { return epochs_of(db, run); }).size(), 2u);
  EXPECT_EQ(store_.read([&](Database& db) { return checkpoints_of(db, run); }).size(), 1u);
  EXPECT_THAT(mails(), ElementsAre("start", "epoch", "epoch", "end"));
  EXPECT_THAT(states(run), ElementsAre("queued", "starting", "running", "completed"));
  EXPECT_GT(row(run).finished_micros, row(run).started_micros);
}

TEST_F(SupervisorTest, ExecutesTheQueueInItsOrder) {
  boot();
  const std::int64_t first = start("a", "#! started; until_stop");
  const std::int64_t second = start("b", kWhole);
  const std::int64_t third = start("c", kWhole);
  ASSERT_TRUE(comes_to(first, RunState::kRunning));
  EXPECT_EQ(row(second).state, RunState::kQueued);
  EXPECT_THAT(row(second).reason, HasSubstr("a"));
  supervisor_->stop_run(third);
  EXPECT_EQ(row(third).state, RunState::kStopped);
  supervisor_->stop_run(first);
  ASSERT_TRUE(comes_to(second, RunState::kCompleted));
  EXPECT_EQ(row(first).state, RunState::kStopped);
  EXPECT_EQ(attempts(third), "");
}

TEST_F(SupervisorTest, StartsACrashedWorkerAgainAndLeavesNoDoubles) {
  boot();
  const std::int64_t run = start("a",
                                 "#! started; rows 10; checkpoint 10; epoch_done 1; rows 3; crash\n"
                                 "#! started; rows 10; epoch_done 1; rows 10; epoch_done 2; end");
  ASSERT_TRUE(comes_to(run, RunState::kCompleted)) << row(run).reason;
  EXPECT_EQ(row(run).restarts, 1);
  EXPECT_EQ(rows(run).size(), 20u);
  EXPECT_THAT(mails(), ElementsAre("start", "epoch", "restart", "epoch", "end"));
  EXPECT_THAT(states(run), ElementsAre("queued", "starting", "running", "starting", "starting",
                                       "running", "completed"));
}

TEST_F(SupervisorTest, GivesUpWithoutProgress) {
  boot();
  const std::int64_t run = start("a", "#! started; rows 1; crash");
  ASSERT_TRUE(comes_to(run, RunState::kFailed));
  EXPECT_EQ(row(run).restarts, 3);
  EXPECT_THAT(row(run).reason, StartsWith("the worker was ended by signal 9"));
  EXPECT_THAT(row(run).reason, HasSubstr("given up after 3 restarts"));
  EXPECT_THAT(mails(), ElementsAre("start", "restart", "failure"));
  EXPECT_EQ(rows(run).size(), 1u);
}

TEST_F(SupervisorTest, ProgressIsANewerCheckpointAndNothingElse) {
  boot();
  const std::int64_t run =
      start("a",
            "#! started; rows 1; checkpoint 1; crash\n#! started; checkpoint 2; crash\n"
            "#! started; checkpoint 3; crash\n#! started; checkpoint 4; crash\n"
            "#! started; checkpoint 5; crash\n#! started; checkpoint 5; crash");
  ASSERT_TRUE(comes_to(run, RunState::kFailed));
  EXPECT_EQ(row(run).restarts, 7);
}

TEST_F(SupervisorTest, DoesNotRepeatWhatCannotBeBetter) {
  boot();
  for (const char* status : {"65", "66", "76", "78", "1"}) {
    const std::int64_t run =
        start(std::string("a") + status, std::string("#! started; fail data ") + status);
    ASSERT_TRUE(comes_to(run, RunState::kFailed));
    EXPECT_EQ(row(run).restarts, 0);
    EXPECT_EQ(row(run).reason, "data: it cannot be done");
  }
  const std::int64_t other = start("b", "#! exit 74\n#! started; end");
  ASSERT_TRUE(comes_to(other, RunState::kCompleted));
  EXPECT_EQ(row(other).restarts, 1);
}

TEST_F(SupervisorTest, ADeviceThatIsNotThereEndsARunBeforeItsFirstStep) {
  boot();
  const std::int64_t early = start("a", "#! fail device 69");
  ASSERT_TRUE(comes_to(early, RunState::kFailed));
  EXPECT_EQ(row(early).restarts, 0);
  EXPECT_EQ(row(early).reason, "device: it cannot be done");
  const std::int64_t at_once = start("b", "#! started; progress 0; fail device 69");
  ASSERT_TRUE(comes_to(at_once, RunState::kFailed));
  EXPECT_EQ(row(at_once).restarts, 0);
  EXPECT_THAT(mails(), ElementsAre("failure", "start", "failure"));
}

TEST_F(SupervisorTest, ARunThatHasTrainedWaitsForItsDevice) {
  boot();
  const std::int64_t run = start("a",
                                 "#! started; rows 3; fail device 69\n#! fail device 69\n"
                                 "#! started; end");
  ASSERT_TRUE(comes_to(run, RunState::kCompleted)) << row(run).reason;
  EXPECT_EQ(row(run).restarts, 2);
  const std::int64_t between_rows =
      start("b", "#! started; progress 7; fail device 69\n#! started; end");
  ASSERT_TRUE(comes_to(between_rows, RunState::kCompleted)) << row(between_rows).reason;
  EXPECT_EQ(row(between_rows).restarts, 1);
  const std::int64_t never = start("c", "#! started; rows 1; fail device 69");
  ASSERT_TRUE(comes_to(never, RunState::kFailed));
  EXPECT_THAT(row(never).reason, HasSubstr("given up after 3 restarts"));
}

// Even at the very beginning: the next process has a device again.
TEST_F(SupervisorTest, StartsAWorkerAgainThatLostItsDeviceAndSaysWhy) {
  boot();
  const std::int64_t run = start("a",
                                 "#! started; rows 2; checkpoint 2; fail device_lost 75\n"
                                 "#! fail device_lost 75\n#! started; rows 3; end");
  ASSERT_TRUE(comes_to(run, RunState::kCompleted)) << row(run).reason;
  EXPECT_EQ(row(run).restarts, 2);
  EXPECT_THAT(mails(), ElementsAre("start", "restart", "end"));
  std::vector<std::string> told;
  for (const auto& event :
       store_.read([&](Database& db) { return events_after(db, run, 0, 999); })) {
    v1::WatchRunResponse message;
    message.ParseFromString(event.payload);
    if (message.has_state_change()) told.push_back(message.state_change().reason());
  }
  EXPECT_THAT(told, ::testing::Contains(StartsWith("device_lost: it cannot be done; it is started "
                                                   "again in")));
  const auto restart = store_.read([&](Database& db) { return list_mails(db, 100); }).at(1);
  ASSERT_EQ(restart.kind, "restart");
  EXPECT_THAT(restart.subject, HasSubstr("device_lost: it cannot be done"));
}

TEST_F(SupervisorTest, AnEndWithoutAWordIsACrash) {
  boot();
  const std::int64_t run = start("a", "#! started; exit 0\n#! started; end");
  ASSERT_TRUE(comes_to(run, RunState::kCompleted));
  EXPECT_EQ(row(run).restarts, 1);
}

class Nonsense : public SupervisorTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(Nonsense, EndsTheWorkerAndNothingElse) {
  boot();
  const std::int64_t run =
      start("a", std::string("#! started; rows 5; ") + GetParam() + "\n#! started; end");
  ASSERT_TRUE(comes_to(run, RunState::kCompleted)) << row(run).reason;
  EXPECT_EQ(row(run).restarts, 1);
  EXPECT_EQ(rows(run).size(), 5u);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Nonsense,
                         ::testing::Values("malformed", "too_long", "escape", "torn"));

TEST_F(SupervisorTest, KillsAStalledWorker) {
  config_.worker.stall_timeout = std::chrono::milliseconds(1500);
  boot();
  const std::int64_t run = start("a", "#! started; hang\n#! started; end");
  ASSERT_TRUE(comes_to(run, RunState::kCompleted)) << row(run).reason;
  EXPECT_THAT(states(run), ::testing::Contains("stalled"));
  EXPECT_EQ(row(run).restarts, 1);
}

TEST_F(SupervisorTest, KillsAWorkerWhoseCheckpointDoesNotMoveWhileStepsGoOn) {
  config_.worker.stall_timeout = std::chrono::milliseconds(1000);
  boot();
  const std::int64_t run =
      start("a", "#! started; saving 0.9 1.2; saving 1 30; fail data 65\n#! started; end");
  ASSERT_TRUE(comes_to(run, RunState::kCompleted)) << row(run).reason;
  EXPECT_THAT(states(run), ::testing::Contains("stalled"));
  EXPECT_EQ(row(run).restarts, 1);
}

TEST_F(SupervisorTest, SignsOfLifePutAStallOff) {
  config_.worker.stall_timeout = std::chrono::milliseconds(1000);
  boot();
  const std::int64_t run = start("a", "#! started; alive 2; end");
  ASSERT_TRUE(comes_to(run, RunState::kCompleted)) << row(run).reason;
  EXPECT_EQ(row(run).restarts, 0);
}

TEST_F(SupervisorTest, TakesAFlood) {
  boot();
  const std::int64_t run = start("a", "#! started; rows 20000; end");
  ASSERT_TRUE(comes_to(run, RunState::kCompleted)) << row(run).reason;
  EXPECT_EQ(store_.read([&](Database& db) { return metrics_after(db, run, 0, 30'000); }).size(),
            20'000u);
}

TEST_F(SupervisorTest, TellsTheWorkerWhatIsStored) {
  boot();
  const std::int64_t run = start("a", "#! started; rows 10; epoch_done 1; rows 5; until_stop");
  const std::string told = config_.run_folder(row(run).id) + "/control";
  // The last row alone says only that what is before it is stored.
  v1::WorkerControl last_row;
  last_row.set_stored_step(14);
  EXPECT_TRUE(eventually(
      [&] { return content_of(told).find(last_row.SerializeAsString()) != std::string::npos; }));
  EXPECT_EQ(rows(run).size(), 15u);
}

TEST_F(SupervisorTest, StopSavesAndResumeGoesOn) {
  boot();
  const std::int64_t run =
      start("a", "#! started; rows 4; until_stop\n#! started; rows 4; epoch_done 1; end");
  ASSERT_TRUE(eventually([&] { return board_.get(run).has_value(); }));
  supervisor_->stop_run(run);
  ASSERT_TRUE(comes_to(run, RunState::kStopped));
  EXPECT_EQ(row(run).reason, "stopped as asked in epoch 1 at step 4");
  EXPECT_THROW(supervisor_->stop_run(run), Error);
  const auto kept = store_.read([&](Database& db) { return checkpoints_of(db, run); });
  EXPECT_EQ(kept.at(0).saved.reason, CheckpointReason::kStop);

  supervisor_->resume_run(run, {.accept_changed_data = true});
  ASSERT_TRUE(comes_to(run, RunState::kCompleted));
  EXPECT_THAT(attempts(run), HasSubstr("--accept-changed-data"));
  EXPECT_THAT(mails(), ElementsAre("start", "end", "start", "epoch", "end"));
  EXPECT_THROW(supervisor_->resume_run(run, {}), Error);
}

// A run file that the daemon itself reads, with a plan in its comments.
std::string settings(const std::string& plan) {
  return "[data]\ntrain = \"/words.txt\"\nformat = \"lines\"\n[train]\nepochs = 3\nbatch_tokens = "
         "4096\n" +
         plan;
}

TEST_F(SupervisorTest, AResumeChangesTheRunFileForTheNextWorker) {
  boot();
  const std::int64_t run = start("a", settings("#! started; rows 4; until_stop"));
  ASSERT_TRUE(eventually([&] { return board_.get(run).has_value(); }));
  supervisor_->stop_run(run);
  ASSERT_TRUE(comes_to(run, RunState::kStopped));
  const std::string file = config_.run_folder(row(run).id) + "/run.toml";
  supervisor_->resume_run(run,
                          {.settings = {.learning_rate = 0.0005, .epochs = 7, .batch_size = 32}});
  EXPECT_EQ(row(run).epochs, 7);
  ASSERT_TRUE(comes_to(run, RunState::kRunning));
  const RunFile now = parse_run_file(content_of(file), file, "/");
  EXPECT_EQ(now.train.learning_rate, 0.0005);
  EXPECT_EQ(now.train.epochs, 7);
  EXPECT_EQ(now.train.batch_size, 32);
  EXPECT_EQ(now.train.batch_tokens, 0);
  EXPECT_EQ(now.data.train, "/words.txt");
  EXPECT_EQ(row(run).started.config, content_of(file));
  EXPECT_EQ(row(run).epochs, 7);
  supervisor_->stop_run(run);
}

TEST_F(SupervisorTest, WhatWasAskedForWaitsInTheDatabaseUntilAWorkerHasBegunWithIt) {
  boot();
  const std::int64_t run = start("a", settings("#! started; rows 4; until_stop"));
  ASSERT_TRUE(eventually([&] { return board_.get(run).has_value(); }));
  const std::int64_t waiting = start("b", settings("#! started; rows 4; until_stop"));
  supervisor_->stop_run(waiting);
  const std::string file = config_.run_folder(row(waiting).id) + "/run.toml";
  const std::string before = content_of(file);
  supervisor_->resume_run(waiting, {.settings = {.epochs = 7}});
  supervisor_->stop_run(waiting);
  supervisor_->resume_run(waiting, {.settings = {.learning_rate = 0.5}});
  EXPECT_EQ(content_of(file), before);
  die();
  boot();
  supervisor_->stop_run(run);
  ASSERT_TRUE(comes_to(waiting, RunState::kRunning));
  EXPECT_EQ(parse_run_file(content_of(file), file, "/").train.epochs, 7);
  EXPECT_EQ(parse_run_file(content_of(file), file, "/").train.learning_rate, 0.5);
  EXPECT_EQ(row(waiting).next_run_file, "");
  supervisor_->stop_run(waiting);
}

TEST_F(SupervisorTest, SettingsThatCannotBeChangeNothing) {
  boot();
  const std::int64_t run =
      start("a", settings("#! started; rows 4; epoch_done 1; rows 1; until_stop"));
  ASSERT_TRUE(eventually([&] { return row(run).epoch == 2; }));
  supervisor_->stop_run(run);
  ASSERT_TRUE(comes_to(run, RunState::kStopped));
  const std::string config = row(run).started.config;
  const std::vector<std::pair<WantedSettings, const char*>> bad = {
      {{.learning_rate = -1}, "train.learning_rate"},
      {{.learning_rate = std::nan("")}, "learning rate"},
      {{.learning_rate = 1e9}, "train.learning_rate"},
      {{.epochs = 0}, "give at least 2"},
      {{.epochs = 1}, "give at least 2"},
      {{.epochs = 2'000'000}, "train.epochs"},
      {{.batch_size = 0}, "batch size"},
      {{.batch_size = 70'000}, "train.batch_size"}};
  for (const auto& [wanted, named] : bad) {
    try {
      supervisor_->resume_run(run, {.settings = wanted});
      ADD_FAILURE() << named;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kConfig) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(named));
    }
  }
  EXPECT_EQ(row(run).state, RunState::kStopped);
  EXPECT_EQ(row(run).started.config, config);
  EXPECT_EQ(row(run).next_run_file, "");
}

TEST_F(SupervisorTest, ACompletedRunGoesOnWhenItIsToTrainMoreEpochs) {
  boot();
  const std::int64_t run = start(
      "a",
      settings("#! started; rows 4; epoch_done 3; end\n#! started; rows 5; epoch_done 4; end"));
  ASSERT_TRUE(comes_to(run, RunState::kCompleted));
  EXPECT_EQ(row(run).reason, "all 3 epochs");
  EXPECT_EQ(row(run).end_reason, EndReason::kAllEpochs);
  for (const int epochs : {1, 4}) {
    try {
      supervisor_->resume_run(run, {.settings = {.epochs = epochs}});
      ADD_FAILURE() << epochs;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kState) << error.what();
      EXPECT_THAT(error.what(), HasSubstr("Give more than 4 epochs"));
    }
  }
  supervisor_->resume_run(run, {.settings = {.epochs = 5}});
  EXPECT_FALSE(row(run).end_reason);
  ASSERT_TRUE(comes_to(run, RunState::kCompleted));
}

TEST_F(SupervisorTest, ALimitIsAReasonToEndAndNotToGoOn) {
  boot();
  const std::string limits = "patience = 2\nbest = \"exact\"\nmax_steps = 4\nmax_hours = 1.5\n";
  const std::vector<std::pair<int, const char*>> reasons = {
      {3, "early stop: no better exact match for 2 epochs"},
      {4, "step limit: 4 steps"},
      {5, "time limit: 1.5 hours of training"}};
  for (const auto& [number, words] : reasons) {
    const std::int64_t run = start(
        "a", settings(limits + "#! started; rows 4; epoch_done 1; end " + std::to_string(number)));
    ASSERT_TRUE(comes_to(run, RunState::kCompleted)) << row(run).reason;
    EXPECT_EQ(row(run).reason, words);
    try {
      supervisor_->resume_run(run, {.settings = {.epochs = 9}});
      ADD_FAILURE() << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kState);
      EXPECT_THAT(error.what(), HasSubstr("would end so again"));
    }
  }
}

TEST_F(SupervisorTest, AChangeToldAgainAfterACrashIsOneEvent) {
  boot();
  const std::int64_t run = start("a",
                                 "#! started; changed train.epochs 3 5 7; rows 2; crash\n"
                                 "#! started; changed train.epochs 3 5 7; rows 3; end");
  ASSERT_TRUE(comes_to(run, RunState::kCompleted)) << row(run).reason;
  int told = 0;
  for (const auto& event :
       store_.read([&](Database& db) { return events_after(db, run, 0, 999); })) {
    v1::WatchRunResponse message;
    message.ParseFromString(event.payload);
    told += message.has_setting_changed() ? 1 : 0;
  }
  EXPECT_EQ(told, 1);
}

TEST_F(SupervisorTest, KillsAWorkerThatDoesNotStop) {
  config_.worker.stop_timeout = std::chrono::milliseconds(300);
  boot();
  const std::int64_t run = start("a", "#! started; hang");
  ASSERT_TRUE(comes_to(run, RunState::kRunning));
  supervisor_->stop_run(run);
  ASSERT_TRUE(comes_to(run, RunState::kStopped));
  EXPECT_THAT(row(run).reason, HasSubstr("did not end within 0.3 s and was killed"));
}

TEST_F(SupervisorTest, SavesWhenAsked) {
  boot();
  const std::int64_t run = start("a", "#! started; rows 3; until_stop");
  EXPECT_THROW(supervisor_->save_checkpoint(start("b", kWhole)), Error);
  ASSERT_TRUE(comes_to(run, RunState::kRunning));
  supervisor_->save_checkpoint(run);
  EXPECT_TRUE(eventually(
      [&] { return !store_.read([&](Database& db) { return checkpoints_of(db, run); }).empty(); }));
}

TEST_F(SupervisorTest, AStoppedDaemonsRunGoesOnWithTheNextOne) {
  boot();
  const std::int64_t run = start("a", "#! started; rows 4; until_stop\n#! started; end");
  const std::int64_t queued = start("b", kWhole);
  ASSERT_TRUE(comes_to(run, RunState::kRunning));
  shut_down();
  EXPECT_EQ(row(run).state, RunState::kPreempted);
  EXPECT_THAT(row(run).reason, HasSubstr("the run goes on when it starts again"));
  EXPECT_EQ(row(queued).state, RunState::kQueued);
  boot();
  ASSERT_TRUE(comes_to(run, RunState::kCompleted));
  ASSERT_TRUE(comes_to(queued, RunState::kCompleted));
  EXPECT_EQ(row(run).restarts, 0);
}

TEST_F(SupervisorTest, AWorkerSurvivesADaemonThatIsGoneAtOnce) {
  boot();
  const std::int64_t run = start("a", "#! started; rows 4; until_stop\n#! started; end");
  ASSERT_TRUE(comes_to(run, RunState::kRunning));
  die();
  const std::string told = config_.run_folder(row(run).id) + "/control";
  EXPECT_TRUE(eventually([&] { return content_of(told).ends_with("EOF"); }));
  EXPECT_EQ(row(run).state, RunState::kRunning);
  boot();
  EXPECT_TRUE(comes_to(run, RunState::kCompleted));
}

TEST_F(SupervisorTest, WhatWasBeingStoppedIsStoppedForTheNextDaemon) {
  boot();
  const std::int64_t run = start("a", "#! started; hang");
  ASSERT_TRUE(comes_to(run, RunState::kRunning));
  supervisor_->stop_run(run);
  const std::string folder = config_.run_folder(row(run).id);
  die();
  EXPECT_EQ(row(run).state, RunState::kStopping);
  boot();
  EXPECT_TRUE(comes_to(run, RunState::kStopped));
}

TEST_F(SupervisorTest, AMissingProgramIsTriedAgainAndThenAFailure) {
  config_.worker.program = scratch_ / "nowhere";
  boot();
  const std::int64_t run = start("a", kWhole);
  ASSERT_TRUE(comes_to(run, RunState::kFailed));
  EXPECT_THAT(row(run).reason, StartsWith("cannot start " + scratch_.path() + "/nowhere"));
}

TEST_F(SupervisorTest, TheStatusLineSaysWhereTheRunIs) {
  boot();
  const std::int64_t run = start("a", "#! started; rows 4; until_stop");
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard lock(pulse_mutex_);
    return pulse_.status == "run a epoch 1/3 batch 4/10 loss 1.5000 ETA 1m:0s";
  }));
  EXPECT_TRUE(pulse_.healthy);
  supervisor_->stop_run(run);
}

TEST(RestartPolicy, DelaysDoubleUpToTheLongest) {
  WorkerSettings settings;
  settings.max_restarts = 10;
  RestartPolicy policy(settings, -1);
  std::vector<long> seconds;
  while (const auto delay = policy.next_delay()) seconds.push_back(delay->count() / 1000);
  EXPECT_THAT(seconds, ElementsAre(2, 4, 8, 16, 32, 64, 128, 256, 300, 300));
  policy.saved(100);
  EXPECT_EQ(policy.next_delay()->count(), 2000);
}

}  // namespace
}  // namespace traind
