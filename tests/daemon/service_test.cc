// The real daemon, asked over its real socket.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "tests/daemon/daemon_process.h"

namespace traind {
namespace {

using grpc::StatusCode;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Stub = v1::TrainingService::Stub;

constexpr const char* kWhole =
    "#! log first_line; started; rows 10; checkpoint 10 2; epoch_done 1; log last_line; end\n";

class ServiceTest : public ::testing::Test {
 protected:
  std::vector<v1::WatchRunResponse> watch(const std::string& run, std::int64_t after,
                                          grpc::Status* status = nullptr) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    v1::WatchRunRequest request;
    request.set_run(run);
    request.set_after_sequence(after);
    const auto reader = daemon_.stub().WatchRun(&context, request);
    std::vector<v1::WatchRunResponse> events;
    v1::WatchRunResponse event;
    while (reader->Read(&event)) events.push_back(event);
    const grpc::Status end = reader->Finish();
    if (status != nullptr) *status = end;
    return events;
  }

  Scratch scratch_;
  DaemonProcess daemon_{scratch_};
  v1::StartRunResponse started_;
};

TEST_F(ServiceTest, StartsARunAndTellsAllOfIt) {
  daemon_.boot();
  ASSERT_TRUE(daemon_.start("a", kWhole, started_).ok());
  EXPECT_EQ(started_.train_examples(), 1000);
  EXPECT_EQ(started_.notices(0), "2 lines were skipped");
  EXPECT_EQ(started_.run().state(), v1::RUN_STATE_QUEUED);
  EXPECT_FALSE(started_.run().reason().empty());
  ASSERT_TRUE(daemon_.comes_to("a", v1::RUN_STATE_COMPLETED));
  const v1::GetStatusResponse status = daemon_.status();
  EXPECT_EQ(status.run().id(), started_.run().id());
  EXPECT_EQ(status.run().valid_loss(), 1.25);
  EXPECT_TRUE(status.run().valid_loss_known());
  EXPECT_EQ(status.run().scores().exact(), 0.4);
  EXPECT_EQ(status.device_name(), "A fake processor");
  EXPECT_EQ(status.checkpoint().file(), "checkpoint-000000000010.safetensors");
  EXPECT_EQ(status.digest(), "aaaaaaaaaaaaaaaa");
  EXPECT_EQ(status.loss(), 0.2);
  EXPECT_EQ(status.seconds_left(), -1);
  EXPECT_THAT(status.config(), HasSubstr("name = \"a\""));

  v1::ListMetricsRequest ask_metrics;
  ask_metrics.set_page_size(7);
  v1::ListMetricsResponse metrics;
  ASSERT_TRUE(daemon_.call(&Stub::ListMetrics, ask_metrics, metrics).ok());
  EXPECT_EQ(metrics.rows_size(), 7);
  EXPECT_TRUE(metrics.more());
  ask_metrics.set_after_step(metrics.rows(6).step());
  ASSERT_TRUE(daemon_.call(&Stub::ListMetrics, ask_metrics, metrics).ok());
  EXPECT_EQ(metrics.rows_size(), 3);
  EXPECT_FALSE(metrics.more());

  v1::ListEpochsResponse epochs;
  ASSERT_TRUE(daemon_.call(&Stub::ListEpochs, v1::ListEpochsRequest(), epochs).ok());
  EXPECT_EQ(epochs.epochs(0).samples(0).output(), "the");
}

TEST_F(ServiceTest, ListsOnlyCheckpointsThatAreThere) {
  daemon_.boot();
  ASSERT_TRUE(
      daemon_.start("a", "#! started; rows 5; checkpoint 2; checkpoint 4; end\n", started_).ok());
  ASSERT_TRUE(daemon_.comes_to("a", v1::RUN_STATE_COMPLETED));
  v1::ListCheckpointsResponse response;
  ASSERT_TRUE(daemon_.call(&Stub::ListCheckpoints, v1::ListCheckpointsRequest(), response).ok());
  ASSERT_EQ(response.checkpoints_size(), 2);
  EXPECT_EQ(response.checkpoints(0).step(), 4);
  std::filesystem::remove(daemon_.status().run_folder() +
                          "/checkpoints/checkpoint-000000000004.safetensors");
  ASSERT_TRUE(daemon_.call(&Stub::ListCheckpoints, v1::ListCheckpointsRequest(), response).ok());
  EXPECT_EQ(response.checkpoints_size(), 1);
}

TEST_F(ServiceTest, WatchContinuesAfterASequenceAndEndsWithTheRun) {
  daemon_.boot();
  ASSERT_TRUE(daemon_.start("a", kWhole, started_).ok());
  grpc::Status status;
  const auto all = watch("a", 0, &status);
  EXPECT_TRUE(status.ok()) << status.error_message();
  std::vector<v1::WatchRunResponse> stored;
  std::int64_t last = 0;
  for (const auto& event : all) {
    if (event.sequence() == 0) continue;
    EXPECT_GT(event.sequence(), last);
    last = event.sequence();
    stored.push_back(event);
  }
  ASSERT_EQ(stored.size(), 4u + 1 + 10 + 1 + 1);
  EXPECT_EQ(stored.back().state_change().state(), v1::RUN_STATE_COMPLETED);
  const auto rest = watch("a", stored[5].sequence());
  ASSERT_EQ(rest.size(), stored.size() - 6);
  EXPECT_EQ(rest.front().SerializeAsString(), stored[6].SerializeAsString());
  watch("a", last + 1, &status);
  EXPECT_EQ(status.error_code(), StatusCode::OUT_OF_RANGE);
}

TEST_F(ServiceTest, WatchersSeeProgressAndAreToldWhenTheDaemonStops) {
  daemon_.boot();
  ASSERT_TRUE(daemon_.start("a", "#! started; rows 3; until_stop\n", started_).ok());
  ASSERT_TRUE(daemon_.comes_to("a", v1::RUN_STATE_RUNNING));
  grpc::ClientContext context;
  const auto reader = daemon_.stub().WatchRun(&context, v1::WatchRunRequest());
  v1::WatchRunResponse event;
  do {
    ASSERT_TRUE(reader->Read(&event));
  } while (!event.has_progress());
  EXPECT_EQ(event.sequence(), 0);
  EXPECT_EQ(daemon_.status().progress().batch(), 3);
  kill(daemon_.pid(), SIGTERM);
  while (reader->Read(&event)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(daemon_.wait(), 0);
}

TEST_F(ServiceTest, AWatcherThatStopsReadingHoldsUpNobody) {
  daemon_.boot();
  ASSERT_TRUE(daemon_.start("a", "#! started; rows 20000; until_stop\n", started_).ok());
  grpc::ClientContext context;
  const auto reader = daemon_.stub().WatchRun(&context, v1::WatchRunRequest());
  v1::WatchRunResponse event;
  ASSERT_TRUE(reader->Read(&event));  // and never again
  EXPECT_TRUE(eventually([&] { return daemon_.status().run().step() == 20'000; }));
  v1::StopRunResponse stopped;
  EXPECT_TRUE(daemon_.call(&Stub::StopRun, v1::StopRunRequest(), stopped).ok());
  EXPECT_TRUE(daemon_.comes_to("a", v1::RUN_STATE_STOPPED));
  context.TryCancel();
}

TEST_F(ServiceTest, LogsAreFollowedOverARestartOfTheWorker) {
  daemon_.boot();
  ASSERT_TRUE(daemon_
                  .start("a",
                         "#! log first_attempt; started; crash\n"
                         "#! log second_attempt; started; end\n",
                         started_)
                  .ok());
  grpc::ClientContext context;
  v1::StreamLogsRequest request;
  request.set_follow(true);
  const auto reader = daemon_.stub().StreamLogs(&context, request);
  std::string text;
  v1::StreamLogsResponse piece;
  while (reader->Read(&piece)) text += piece.text();
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(text, "first attempt\nlast words\nsecond attempt\n");
  grpc::ClientContext again;
  request.set_follow(false);
  request.set_tail_lines(1);
  const auto tail = daemon_.stub().StreamLogs(&again, request);
  ASSERT_TRUE(tail->Read(&piece));
  EXPECT_EQ(piece.text(), "second attempt\n");
}

TEST_F(ServiceTest, ARequestThatIsTooLargeIsRefusedAndNeverServed) {
  daemon_.boot();
  EXPECT_EQ(daemon_.start("a", std::string(5 << 20, '#'), started_).error_code(),
            StatusCode::RESOURCE_EXHAUSTED);
  v1::ListRunsResponse runs;
  ASSERT_TRUE(daemon_.call(&Stub::ListRuns, v1::ListRunsRequest(), runs).ok());
  EXPECT_EQ(runs.runs_size(), 0);
}

TEST_F(ServiceTest, RefusesARunThatCannotWorkWithItsReason) {
  daemon_.boot();
  const grpc::Status status = daemon_.start("a", "#check refuse\n", started_);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "my/run.toml:1: the corpus is empty");
  EXPECT_TRUE(std::filesystem::is_empty(scratch_ / "state/runs"));
  v1::ListRunsResponse runs;
  ASSERT_TRUE(daemon_.call(&Stub::ListRuns, v1::ListRunsRequest(), runs).ok());
  EXPECT_EQ(runs.runs_size(), 0);
}

TEST_F(ServiceTest, ACheckThatCrashesOrHangsIsAnErrorAndNothingMore) {
  daemon_.worker_config = "check_timeout_seconds = 1\n";
  daemon_.boot();
  grpc::Status status = daemon_.start("a", "#check crash\n", started_);
  EXPECT_EQ(status.error_code(), StatusCode::INTERNAL);
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr("signal 11"), HasSubstr("last words")));
  status = daemon_.start("a", "#check hang\n", started_);
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("no answer within 1 s"));
  EXPECT_TRUE(daemon_.start("a", kWhole, started_).ok());
}

TEST_F(ServiceTest, RefusesANameInUseAndWhatIsNoName) {
  daemon_.boot();
  ASSERT_TRUE(daemon_.start("a", "#! started; until_stop\n", started_).ok());
  const grpc::Status twice = daemon_.start("a", kWhole, started_);
  EXPECT_EQ(twice.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(twice.error_message(), HasSubstr("give this run another name"));
  v1::StartRunRequest request;
  request.set_run_toml("name = \"a\"\n");
  request.set_base_folder("/");
  request.set_name("../../etc");
  EXPECT_EQ(daemon_.call(&Stub::StartRun, request, started_).error_code(),
            StatusCode::INVALID_ARGUMENT);
  request.set_name("b");
  request.set_base_folder("relative");
  EXPECT_EQ(daemon_.call(&Stub::StartRun, request, started_).error_code(),
            StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServiceTest, TheSameRequestTwiceStartsOneRun) {
  daemon_.boot();
  v1::StartRunResponse again;
  ASSERT_TRUE(daemon_.start("a", kWhole, started_, "request-1").ok());
  ASSERT_TRUE(daemon_.start("a", kWhole, again, "request-1").ok());
  EXPECT_EQ(again.run().id(), started_.run().id());
}

TEST_F(ServiceTest, ListsRunsNewestFirstInPages) {
  daemon_.boot();
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_TRUE(daemon_.start(name, "#! started; until_stop\n", started_).ok());
  }
  std::string names;
  v1::ListRunsRequest request;
  request.set_page_size(2);
  v1::ListRunsResponse page;
  do {
    page.Clear();
    ASSERT_TRUE(daemon_.call(&Stub::ListRuns, request, page).ok());
    for (const v1::Run& run : page.runs()) names += run.name();
    names += '|';
    request.set_page_token(page.next_page_token());
  } while (!page.next_page_token().empty());
  EXPECT_EQ(names, "cb|a|");
  request.set_page_token("1; DROP TABLE runs");
  EXPECT_EQ(daemon_.call(&Stub::ListRuns, request, page).error_code(),
            StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServiceTest, SaysWhatIsWrongWithTheRunOrItsState) {
  daemon_.boot();
  v1::StopRunRequest stop;
  v1::StopRunResponse stopped;
  EXPECT_EQ(daemon_.call(&Stub::StopRun, stop, stopped).error_code(), StatusCode::NOT_FOUND);
  ASSERT_TRUE(daemon_.start("a", kWhole, started_).ok());
  ASSERT_TRUE(daemon_.comes_to("a", v1::RUN_STATE_COMPLETED));
  const grpc::Status late = daemon_.call(&Stub::StopRun, stop, stopped);
  EXPECT_EQ(late.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(late.error_message(), "run a is completed already");
  v1::ResumeRunResponse resumed;
  EXPECT_EQ(daemon_.call(&Stub::ResumeRun, v1::ResumeRunRequest(), resumed).error_code(),
            StatusCode::FAILED_PRECONDITION);
  v1::SaveCheckpointResponse saved;
  EXPECT_EQ(daemon_.call(&Stub::SaveCheckpoint, v1::SaveCheckpointRequest(), saved).error_code(),
            StatusCode::FAILED_PRECONDITION);
  stop.set_run("nobody");
  const grpc::Status nobody = daemon_.call(&Stub::StopRun, stop, stopped);
  EXPECT_EQ(nobody.error_code(), StatusCode::NOT_FOUND);
  EXPECT_THAT(nobody.error_message(), HasSubstr("`trainctl runs`"));
}

TEST_F(ServiceTest, TranslatesInAProcessOfItsOwn) {
  daemon_.boot();
  ASSERT_TRUE(daemon_.start("a", kWhole, started_).ok());
  v1::TranslateRequest request;
  request.add_lines("teh");
  request.add_lines("wrod");
  v1::TranslateResponse response;
  ASSERT_TRUE(daemon_.call(&Stub::Translate, request, response).ok());
  EXPECT_EQ(response.lines(1), "WROD");
  EXPECT_EQ(response.checkpoint(), "checkpoint-000000000003.safetensors");
  request.set_lines(0, "crash");
  EXPECT_EQ(daemon_.call(&Stub::Translate, request, response).error_code(), StatusCode::INTERNAL);
  request.set_lines(0, "two\nlines");
  EXPECT_EQ(daemon_.call(&Stub::Translate, request, response).error_code(),
            StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServiceTest, TranslateHandsOnHowToSearch) {
  daemon_.boot();
  ASSERT_TRUE(daemon_.start("a", kWhole, started_).ok());
  v1::TranslateRequest request;
  request.add_lines("teh");
  request.set_beam(8);
  request.set_n_best(2);
  request.set_temperature(0.5);
  request.set_seed(7);
  request.set_max_tokens(9);
  request.set_best(true);
  v1::TranslateResponse response;
  ASSERT_TRUE(daemon_.call(&Stub::Translate, request, response).ok());
  ASSERT_EQ(response.results_size(), 1);
  EXPECT_EQ(response.results(0).answers(0).text(), "TEH");
  EXPECT_EQ(response.results(0).answers(0).score(), -0.25);
  EXPECT_EQ(response.results(0).answers(1).text(),
            "--framed --best --beam 8 --n-best 2 --temperature 0.5 --seed 7 --max-tokens 9");
  request.set_beam(-1);
  EXPECT_EQ(daemon_.call(&Stub::Translate, request, response).error_code(),
            StatusCode::INVALID_ARGUMENT);
  request.set_beam(0);
  request.set_temperature(std::nan(""));
  EXPECT_EQ(daemon_.call(&Stub::Translate, request, response).error_code(),
            StatusCode::INVALID_ARGUMENT);
}

// Starts "b" from `from`; returns what the check was given and the run began with.
class StartFrom : public ServiceTest {
 protected:
  StartFrom() {
    source_ =
        "#! started; rows 2; checkpoint 2; rows 2; checkpoint 4; rows 2; checkpoint 6; epoch_done "
        "1; "
        "prune 2; end\n";
  }
  void boot() {
    daemon_.boot();
    ASSERT_TRUE(daemon_.start("a", source_, started_).ok());
    ASSERT_TRUE(daemon_.comes_to("a", v1::RUN_STATE_COMPLETED));
  }
  grpc::Status start_from(const std::string& from) {
    v1::StartRunRequest request;
    request.set_run_toml("name = \"b\"\n#! started; rows 3; end\n");
    request.set_base_folder("/");
    request.set_from(from);
    return daemon_.call(&Stub::StartRun, request, started_);
  }
  std::string weights() {
    return content_of(scratch_ / ("state/runs/" + started_.run().id() + "/initial.safetensors"));
  }

  std::string source_;
};

TEST_F(StartFrom, FindsACheckpointByWhatItIsCalled) {
  boot();
  const std::vector<std::pair<const char*, const char*>> known = {
      {"a", "weights of step 6"},
      {"a@newest", "weights of step 6"},
      {"a@best", "weights of step 6"},
      {"a@4", "weights of step 4"},
      {"a@checkpoint-000000000004.safetensors", "weights of step 4"}};
  for (const auto& [from, expected] : known) {
    ASSERT_TRUE(start_from(from).ok()) << from;
    EXPECT_EQ(weights(), expected);
    ASSERT_TRUE(daemon_.comes_to("b", v1::RUN_STATE_COMPLETED));
  }
  EXPECT_EQ(daemon_.status("b").run().started_from(), "a@checkpoint-000000000004.safetensors");
  // Before a worker has told anything, too.
  EXPECT_EQ(started_.run().started_from(), "a@checkpoint-000000000004.safetensors");
  const auto events = watch("b", 0);
  const auto start = std::find_if(events.begin(), events.end(),
                                  [](const auto& event) { return event.has_run_started(); });
  ASSERT_NE(start, events.end());
  EXPECT_EQ(start->run_started().started_from(), "a@checkpoint-000000000004.safetensors");
}

TEST_F(StartFrom, RefusesWhatIsNotThereAndLeavesNothingBehind) {
  boot();
  const auto folders = [&] {
    return std::distance(std::filesystem::directory_iterator(scratch_ / "state/runs"), {});
  };
  const auto before = folders();
  for (const char* from :
       {"nobody", "a@2", "a@99", "a@checkpoint-9.safetensors", "a@../run.toml"}) {
    EXPECT_EQ(start_from(from).error_code(), StatusCode::NOT_FOUND) << from;
  }
  for (const char* from : {"@best", "a@"}) {
    EXPECT_EQ(start_from(from).error_code(), StatusCode::INVALID_ARGUMENT) << from;
  }
  EXPECT_EQ(folders(), before);
}

TEST_F(StartFrom, TakesTheNextOlderOnesWhenTheNewestAreDamagedOrGone) {
  source_ =
      "#! started; rows 2; checkpoint 2; rows 2; checkpoint 4; rows 2; checkpoint 6; damage 4; "
      "end\n";
  boot();
  std::filesystem::remove(daemon_.status("a").run_folder() +
                          "/checkpoints/checkpoint-000000000006.safetensors");
  ASSERT_TRUE(start_from("a").ok());
  EXPECT_EQ(weights(), "weights of step 2");
  EXPECT_EQ(started_.run().started_from(), "a@checkpoint-000000000002.safetensors");
  EXPECT_THAT(started_.notices(1),
              AllOf(HasSubstr("a@checkpoint-000000000004.safetensors was passed"),
                    HasSubstr("its checksum is wrong")));
  EXPECT_EQ(start_from("a@4").error_code(), StatusCode::NOT_FOUND);
}

TEST_F(StartFrom, KeepsTheWeightsWhenTheOtherRunPrunesThem) {
  boot();
  ASSERT_TRUE(start_from("a@4").ok());
  std::filesystem::remove(daemon_.status("a").run_folder() +
                          "/checkpoints/checkpoint-000000000004.safetensors");
  EXPECT_EQ(weights(), "weights of step 4");
}

TEST_F(ServiceTest, AResumeWithChangesShowsThemEverywhere) {
  daemon_.boot();
  const std::string settings =
      "[data]\ntrain = \"/words.txt\"\nformat = \"lines\"\n[train]\nepochs = 3\n";
  ASSERT_TRUE(daemon_.start("a", settings + "#! started; rows 3; until_stop\n", started_).ok());
  ASSERT_TRUE(daemon_.comes_to("a", v1::RUN_STATE_RUNNING));
  v1::StopRunRequest stop;
  v1::StopRunResponse stopped;
  ASSERT_TRUE(daemon_.call(&Stub::StopRun, stop, stopped).ok());
  ASSERT_TRUE(daemon_.comes_to("a", v1::RUN_STATE_STOPPED));
  v1::ResumeRunRequest resume;
  resume.set_epochs(9);
  resume.set_learning_rate(-2);
  v1::ResumeRunResponse resumed;
  EXPECT_EQ(daemon_.call(&Stub::ResumeRun, resume, resumed).error_code(),
            StatusCode::INVALID_ARGUMENT);
  resume.set_learning_rate(0.25);
  ASSERT_TRUE(daemon_.call(&Stub::ResumeRun, resume, resumed).ok());
  EXPECT_EQ(resumed.run().epochs(), 9);
  EXPECT_THAT(daemon_.status("a").config(), HasSubstr("learning_rate = 0.25"));
}

TEST_F(ServiceTest, StatusShowsTheNewestChangesAndTheReasonOfTheEnd) {
  daemon_.boot();
  std::string plan = "#! started";
  for (int step = 1; step <= 7; ++step) {
    plan += "; changed train.epochs " + std::to_string(step) + " 9 " + std::to_string(step);
  }
  ASSERT_TRUE(daemon_.start("a", plan + "; rows 2; epoch_done 1 6; end 3\n", started_).ok());
  ASSERT_TRUE(daemon_.comes_to("a", v1::RUN_STATE_COMPLETED));
  const v1::GetStatusResponse status = daemon_.status("a");
  ASSERT_EQ(status.changes_size(), 5);
  EXPECT_EQ(status.changes(0).step(), 3);
  EXPECT_EQ(status.changes(4).was(), "7");
  EXPECT_EQ(status.run().end_reason(), v1::END_REASON_EARLY_STOP);
  EXPECT_EQ(status.run().measure(), v1::MEASURE_BLEU);
  EXPECT_EQ(status.run().scores().bleu(), 41.5);
  EXPECT_THAT(status.run().reason(), HasSubstr("early stop"));
}

TEST_F(ServiceTest, SendsATestMailAndListsIt) {
  daemon_.boot();
  v1::SendTestMailResponse sent;
  ASSERT_TRUE(daemon_.call(&Stub::SendTestMail, v1::SendTestMailRequest(), sent).ok());
  EXPECT_EQ(sent.recipients(0), "owner@localhost");
  EXPECT_THAT(sent.transport(), HasSubstr("state/mail"));
  v1::ListMailsResponse mails;
  EXPECT_TRUE(eventually([&] {
    mails.Clear();
    return daemon_.call(&Stub::ListMails, v1::ListMailsRequest(), mails).ok() &&
           mails.mails_size() == 1 && mails.mails(0).state() == "sent";
  }));
  v1::RetryMailRequest retry;
  v1::RetryMailResponse retried;
  retry.set_id(mails.mails(0).id());
  EXPECT_EQ(daemon_.call(&Stub::RetryMail, retry, retried).error_code(),
            StatusCode::FAILED_PRECONDITION);
  retry.set_id(999);
  EXPECT_EQ(daemon_.call(&Stub::RetryMail, retry, retried).error_code(), StatusCode::NOT_FOUND);
}

TEST_F(ServiceTest, ServesTcpOnLoopbackWhenAskedTo) {
  const int port = 20'000 + getpid() % 20'000;
  const std::string address = "127.0.0.1:" + std::to_string(port);
  daemon_.more_config = "[listen]\ntcp = \"" + address + "\"\n";
  daemon_.boot();
  const auto stub = v1::TrainingService::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  v1::GetVersionResponse version;
  EXPECT_TRUE(stub->GetVersion(&context, v1::GetVersionRequest(), &version).ok());
  EXPECT_EQ(version.version(), TRAIND_VERSION);
}

}  // namespace
}  // namespace traind
