// Checkpoints that crash the workers which load them, and checkpoints that are gone.
#include "daemon/checkpoint_files.h"
#include "tests/daemon/supervisor_case.h"

namespace traind {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What three crashes while a checkpoint is loaded lead to.
class LoadingTest : public SupervisorTest {
 protected:
  LoadingTest() { config_.worker.max_restarts = 6; }

  std::string file(int step) const {
    return "checkpoint-00000000000" + std::to_string(step) + ".safetensors";
  }
  std::string content(std::int64_t run, const std::string& name) const {
    return content_of(config_.run_folder(row(run).id) + "/checkpoints/" + name);
  }
  // Names of the checkpoints that the database counts on, newest first.
  std::vector<std::string> kept(std::int64_t run) const {
    std::vector<std::string> names;
    for (const auto& checkpoint :
         store_.read([&](Database& db) { return checkpoints_of(db, run); })) {
      names.push_back(checkpoint.saved.file);
    }
    return names;
  }
  const std::string two_ = "#! started; rows 4; checkpoint 2; checkpoint 4; crash\n";
  const std::string load_newest_ = "#! loading 4; crash\n";
  const std::string load_older_ = "#! loading 2; crash\n";
};

TEST_F(LoadingTest, ThreeCrashesSetTheCheckpointAsideAndTheNextOlderIsTried) {
  boot();
  const std::int64_t run = start("a", two_ + load_newest_ + load_newest_ + load_newest_ +
                                          "#! loading 2; started; rows 6; checkpoint 6; end");
  ASSERT_TRUE(comes_to(run, RunState::kCompleted)) << row(run).reason;
  EXPECT_EQ(row(run).restarts, 4);
  EXPECT_EQ(content(run, file(4) + ".quarantined"), "weights of step 4");
  EXPECT_EQ(content(run, file(4)), "");
  EXPECT_THAT(kept(run), ElementsAre(file(6), file(2)));
  std::vector<std::string> told;
  for (const auto& event :
       store_.read([&](Database& db) { return events_after(db, run, 0, 999); })) {
    v1::WatchRunResponse message;
    message.ParseFromString(event.payload);
    if (message.has_state_change()) told.push_back(message.state_change().reason());
  }
  EXPECT_THAT(told,
              ::testing::Contains(HasSubstr("while it loaded " + file(4) + " (time 2 of 3)")));
  EXPECT_THAT(told, ::testing::Contains(HasSubstr("set aside as " + file(4) + ".quarantined")));
}

TEST_F(LoadingTest, WhenTheNextOlderCrashesTooTheFirstIsPutBackAndBothAreNamed) {
  boot();
  const std::int64_t run =
      start("a", two_ + load_newest_ + load_newest_ + load_newest_ + load_older_);
  ASSERT_TRUE(comes_to(run, RunState::kFailed));
  EXPECT_EQ(row(run).restarts, 6);
  EXPECT_THAT(row(run).reason, HasSubstr("while it loaded " + file(2) + " (time 3 of 3)"));
  EXPECT_THAT(row(run).reason, HasSubstr(file(4) + ", which was set aside and is in its place"));
  EXPECT_EQ(content(run, file(4)), "weights of step 4");
  EXPECT_EQ(content(run, file(2)), "weights of step 2");
  EXPECT_THAT(kept(run), ElementsAre(file(4), file(2)));
}

TEST_F(LoadingTest, FewerRestartsThanThatEndTheRunWithEverythingInItsPlace) {
  config_.worker.max_restarts = 4;
  boot();
  const std::int64_t run =
      start("a", two_ + load_newest_ + load_newest_ + load_newest_ + load_older_);
  ASSERT_TRUE(comes_to(run, RunState::kFailed));
  EXPECT_THAT(row(run).reason, HasSubstr("while it loaded " + file(2) + " (time 1 of 3)"));
  EXPECT_THAT(row(run).reason, HasSubstr("given up after 4 restarts"));
  EXPECT_THAT(row(run).reason, HasSubstr(file(4)));
  EXPECT_EQ(content(run, file(4)), "weights of step 4");
}

TEST_F(LoadingTest, WhenNoOlderOneIsGoodItIsPutBack) {
  boot();
  const std::int64_t run = start("a", "#! started; rows 4; checkpoint 4; crash\n" + load_newest_ +
                                          load_newest_ + load_newest_ + "#! fail corrupt 76");
  ASSERT_TRUE(comes_to(run, RunState::kFailed));
  EXPECT_THAT(row(run).reason, StartsWith("corrupt: it cannot be done"));
  EXPECT_THAT(row(run).reason, HasSubstr(file(4)));
  EXPECT_EQ(content(run, file(4)), "weights of step 4");
}

// A daemon that is new to the run must not set aside one file after another either.
TEST_F(LoadingTest, TheNextDaemonKnowsWhatWasSetAside) {
  boot();
  const std::int64_t run = start("a", two_ + load_newest_ + load_newest_ + load_newest_ +
                                          "#! loading 2; until_stop\n" + load_older_);
  ASSERT_TRUE(eventually([&] { return row(run).restarts == 4 && board_.get(run); }));
  die();
  boot();
  ASSERT_TRUE(comes_to(run, RunState::kFailed));
  EXPECT_THAT(row(run).reason, HasSubstr(file(4) + ", which was set aside and is in its place"));
  EXPECT_EQ(content(run, file(4)), "weights of step 4");
  EXPECT_EQ(content(run, file(2)), "weights of step 2");
}

TEST_F(LoadingTest, AnErrorThatIsNamedIsNotTheCheckpointsFault) {
  boot();
  const std::int64_t run = start(
      "a", two_ + "#! loading 4; fail io 74\n#! loading 4; fail device_lost 75\n" + load_newest_ +
               "#! loading 4; fail io 74\n" + load_newest_ + "#! loading 4; started; end");
  ASSERT_TRUE(comes_to(run, RunState::kCompleted)) << row(run).reason;
  EXPECT_EQ(content(run, file(4)), "weights of step 4");
}

TEST_F(LoadingTest, AWorkerThatTrainsHasLoadedItWell) {
  boot();
  const std::int64_t run =
      start("a", two_ + load_newest_ + load_newest_ + "#! loading 4; started; crash\n" +
                     load_newest_ + load_newest_ + "#! loading 4; started; end");
  ASSERT_TRUE(comes_to(run, RunState::kCompleted)) << row(run).reason;
  EXPECT_EQ(content(run, file(4)), "weights of step 4");
}

TEST_F(LoadingTest, AHangIsACrash) {
  config_.worker.stall_timeout = std::chrono::milliseconds(1000);
  boot();
  const std::int64_t run = start("a", two_ + load_newest_ + "#! loading 4; hang\n" + load_newest_ +
                                          "#! loading 2; started; end");
  ASSERT_TRUE(comes_to(run, RunState::kCompleted)) << row(run).reason;
  EXPECT_EQ(content(run, file(4) + ".quarantined"), "weights of step 4");
}

TEST_F(LoadingTest, ACheckpointThatIsGoneIsTold) {
  boot();
  const std::int64_t run = start("a",
                                 "#! started; rows 4; checkpoint 2; checkpoint 4; lose 4; crash\n"
                                 "#! loading 2; started; until_stop");
  EXPECT_TRUE(eventually([&] {
    for (const auto& mail : store_.read([](Database& db) { return list_mails(db, 100); })) {
      if (mail.kind == "warning" && mail.subject.find("is missing") != std::string::npos) {
        return true;
      }
    }
    return false;
  }));
  EXPECT_THAT(kept(run), ElementsAre(file(2)));
  supervisor_->stop_run(run);
}

TEST_F(LoadingTest, ARunWhoseCheckpointsAreAllGoneDoesNotStartOver) {
  boot();
  const std::int64_t run =
      start("a", "#! started; rows 4; checkpoint 4; lose 4; crash\n#! started; end");
  ASSERT_TRUE(comes_to(run, RunState::kFailed));
  EXPECT_THAT(row(run).reason, HasSubstr("all checkpoints of the run are missing"));
  EXPECT_EQ(row(run).restarts, 1);
  std::filesystem::remove(config_.run_folder(row(run).id) + "/checkpoints");
  supervisor_->resume_run(run, {});
  EXPECT_TRUE(comes_to(run, RunState::kCompleted)) << row(run).reason;
}

TEST(Quarantine, NeverOverwritesAndMayBeRepeated) {
  const Scratch folder;
  const std::string name = "checkpoint-000000000004.safetensors";
  write_file(folder / name, "first");
  set_aside(folder.path(), name);
  set_aside(folder.path(), name);
  EXPECT_EQ(newest_set_aside(folder.path()), name);
  write_file(folder / name, "second");
  EXPECT_EQ(newest_set_aside(folder.path()), "");
  EXPECT_THROW(set_aside(folder.path(), name), Error);
  put_back(folder.path(), name);
  EXPECT_EQ(content_of(folder / name), "second");
  EXPECT_EQ(content_of(folder / (name + ".quarantined")), "first");
  EXPECT_EQ(newest_set_aside(folder / "nowhere"), "");
}

}  // namespace
}  // namespace traind
