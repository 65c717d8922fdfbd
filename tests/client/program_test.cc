// The real trainctl as a child process, against a daemon with canned answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "client/exit_code.h"
#include "tests/client/fake_daemon.h"
#include "tests/client/golden.h"
#include "tests/client/program.h"
#include "tests/client/replies.h"

namespace traind {
namespace {

using nlohmann::json;
using test::Canned;
using test::FakeDaemon;
using test::Finished;
using test::run_trainctl;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ProgramTest : public ::testing::Test {
 protected:
  Finished run(std::vector<std::string> arguments, const std::string& input = "") {
    return run_trainctl({std::move(arguments), input, {"TRAINCTL_HOST=" + daemon_.host()}});
  }
  void end(v1::RunState state) { daemon_.change_state(state, "ended so"); }

  FakeDaemon daemon_;
};

TEST_F(ProgramTest, EachGrpcCodeHasItsExitCode) {
  const std::vector<std::pair<grpc::StatusCode, int>> expected = {
      {grpc::StatusCode::CANCELLED, 130},
      {grpc::StatusCode::UNKNOWN, 1},
      {grpc::StatusCode::INVALID_ARGUMENT, 1},
      {grpc::StatusCode::DEADLINE_EXCEEDED, 124},
      {grpc::StatusCode::NOT_FOUND, 5},
      {grpc::StatusCode::ALREADY_EXISTS, 6},
      {grpc::StatusCode::PERMISSION_DENIED, 4},
      {grpc::StatusCode::RESOURCE_EXHAUSTED, 1},
      {grpc::StatusCode::FAILED_PRECONDITION, 6},
      {grpc::StatusCode::ABORTED, 1},
      {grpc::StatusCode::OUT_OF_RANGE, 1},
      {grpc::StatusCode::UNIMPLEMENTED, 1},
      {grpc::StatusCode::INTERNAL, 1},
      {grpc::StatusCode::UNAVAILABLE, 3},
      {grpc::StatusCode::DATA_LOSS, 1},
      {grpc::StatusCode::UNAUTHENTICATED, 4}};
  for (const auto& [code, exit] : expected) {
    daemon_.set([status = code](Canned& canned) {
      canned.refusal = grpc::Status(status, "a sentence \x1b[2J that says what to do");
    });
    const Finished finished = run({"status"});
    EXPECT_EQ(finished.code, exit) << code << finished.err;
    EXPECT_THAT(finished.err, ::testing::StartsWith("trainctl: ")) << code;
    EXPECT_EQ(finished.err.find('\x1b'), std::string::npos) << code;
    EXPECT_THAT(finished.out, IsEmpty());
  }
}

TEST_F(ProgramTest, ADaemonThatIsNotThereIsKnownAtOnce) {
  daemon_.stop();
  const auto before = std::chrono::steady_clock::now();
  const Finished finished = run({"status"});
  EXPECT_EQ(finished.code, 3);
  EXPECT_THAT(finished.err, HasSubstr("cannot reach traind at unix:" + daemon_.socket()));
  EXPECT_THAT(finished.err, HasSubstr("is it running?"));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(3));
}

TEST_F(ProgramTest, ASocketThatNobodyListensOnIsToldFromOneThatIsMissing) {
  daemon_.stop();
  EXPECT_THAT(run({"runs"}).err, HasSubstr("there is no such socket"));
  std::ofstream(daemon_.socket()) << "";
  const Finished refused = run({"runs"});
  EXPECT_EQ(refused.code, 3);
  EXPECT_THAT(refused.err, HasSubstr("nobody listens on the socket"));
  const Finished tcp = run({"-H", "127.0.0.1:1", "runs"});
  EXPECT_EQ(tcp.code, 3);
  EXPECT_THAT(tcp.err, HasSubstr("cannot reach traind at 127.0.0.1:1"));
}

TEST_F(ProgramTest, UsageErrorsExitWithTwo) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"statsu"}, {"--nonsense"}, {"start"}, {"status", "a", "b"}, {"-H", "10.0.0.1:7433"}}) {
    const Finished finished = run(arguments);
    EXPECT_EQ(finished.code, 2);
    EXPECT_THAT(finished.out, IsEmpty());
    EXPECT_THAT(finished.err, ::testing::StartsWith("trainctl: "));
  }
  EXPECT_EQ(run({"--help"}).code, 0);
  EXPECT_EQ(run({"help", "exit-codes"}).code, 0);
}

TEST_F(ProgramTest, WithoutAVerbItIsStatus) {
  const Finished bare = run({});
  EXPECT_EQ(bare.code, 0);
  EXPECT_EQ(bare.out, run({"status"}).out);
  test::expect_golden("program_status.txt", bare.out);
}

TEST_F(ProgramTest, StatusExitsWithSevenOnlyWhenAsked) {
  daemon_.set([](Canned& canned) { canned.status = test::failed_status(); });
  EXPECT_EQ(run({"status"}).code, 0);
  EXPECT_EQ(run({"status", "--exit-code"}).code, 7);
  EXPECT_EQ(run({"status", "--exit-code", "--json"}).code, 7);
  daemon_.set([](Canned& canned) { canned.status = test::completed_status(); });
  EXPECT_EQ(run({"status", "--exit-code"}).code, 0);
}

TEST_F(ProgramTest, EveryReadingVerbSpeaksJson) {
  end(v1::RUN_STATE_COMPLETED);
  daemon_.set([](Canned& canned) {
    canned.runs = {test::running_run(), test::failed_run(), test::running_run()};
    canned.metrics = test::falling_loss(5);
  });
  EXPECT_EQ(json::parse(run({"status", "--json"}).out)["run"]["name"], "spelling");
  EXPECT_EQ(json::parse(run({"runs", "--json"}).out)["runs"].size(), 3u);
  EXPECT_EQ(json::parse(run({"metrics", "--json"}).out)["rows"].size(), 5u);
  EXPECT_EQ(json::parse(run({"plot", "--json"}).out)["training"].size(), 5u);
  EXPECT_EQ(json::parse(run({"checkpoints", "--json"}).out)["checkpoints"].size(), 2u);
  EXPECT_EQ(json::parse(run({"mail", "list", "--json"}).out)["mails"].size(), 4u);
  EXPECT_EQ(json::parse(run({"version", "--json"}).out)["traind"], "9.8.7");
  EXPECT_EQ(json::parse(run({"wait", "--json"}).out)["state"], "completed");
  EXPECT_EQ(json::parse(run({"mail", "retry", "--json"}).out)["mails"], 3);
}

TEST_F(ProgramTest, RunsComeFromEveryPage) {
  daemon_.set([](Canned& canned) {
    canned.runs.assign(5, test::running_run());
    for (int i = 0; i < 5; ++i) canned.runs[static_cast<std::size_t>(i)].set_id(std::to_string(i));
  });
  EXPECT_EQ(run({"runs", "-q"}).out, "0\n1\n2\n3\n4\n");
}

TEST_F(ProgramTest, MetricsComeFromEveryPageOnceEach) {
  daemon_.set([](Canned& canned) {
    canned.metrics = test::falling_loss(25);
    canned.metrics_page = 10;
  });
  const Finished csv = run({"metrics", "--csv"});
  EXPECT_EQ(std::count(csv.out.begin(), csv.out.end(), '\n'), 26);
  EXPECT_TRUE(daemon_.wait_until([](Canned& canned) { return canned.metrics_calls == 3; }));
  const Finished lines = run({"metrics", "--jsonl", "--after", "250"});
  EXPECT_EQ(std::count(lines.out.begin(), lines.out.end(), '\n'), 15);
  const Finished table = run({"metrics", "-q"});
  EXPECT_EQ(std::count(table.out.begin(), table.out.end(), '\n'), 25);
}

TEST_F(ProgramTest, StartSendsTheFileAndItsFolder) {
  const std::filesystem::path file =
      std::filesystem::path(daemon_.socket()).parent_path() / "run.toml";
  std::ofstream(file) << "[run]\nname = \"x\"\n";
  const Finished finished =
      run({"start", file.string(), "--name", "second-try", "--from", "words@best"});
  EXPECT_EQ(finished.code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("72,000 examples to train on"));
  EXPECT_THAT(finished.err, HasSubstr("3 lines without a tab were skipped"));
  daemon_.set([&](Canned& canned) {
    EXPECT_EQ(canned.started.run_toml(), "[run]\nname = \"x\"\n");
    EXPECT_EQ(canned.started.base_folder(), file.parent_path().string());
    EXPECT_EQ(canned.started.name(), "second-try");
    EXPECT_EQ(canned.started.from(), "words@best");
    EXPECT_EQ(canned.started.request_id().size(), 32u);
  });
  EXPECT_EQ(run({"start", file.string(), "-q"}).out, "01JD7Q0000000000000000000A\n");
  EXPECT_EQ(json::parse(run({"start", file.string(), "--json"}).out)["skipped_lines"], 3);
}

TEST_F(ProgramTest, AFileThatCannotBeSentIsRefusedWithItsName) {
  const Finished missing = run({"start", "no-such.toml"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.err, HasSubstr("cannot read no-such.toml: No such file"));
  EXPECT_THAT(run({"start", "/"}).err, HasSubstr("it is a folder"));
  const std::string bad = daemon_.socket() + ".toml";
  std::ofstream(bad) << "ok = 1\n\xff\n";
  EXPECT_THAT(run({"start", bad}).err, HasSubstr(bad + ":2: not UTF-8"));
}

TEST_F(ProgramTest, ResumePassesOnThatChangedDataIsAccepted) {
  EXPECT_EQ(run({"resume", "spelling", "--accept-changed-data"}).code, 0);
  daemon_.set([](Canned& canned) {
    EXPECT_TRUE(canned.resumed.accept_changed_data());
    EXPECT_EQ(canned.resumed.run(), "spelling");
  });
}

TEST_F(ProgramTest, WaitTellsHowTheRunEnded) {
  end(v1::RUN_STATE_COMPLETED);
  EXPECT_EQ(run({"wait"}).code, 0);
  end(v1::RUN_STATE_FAILED);
  EXPECT_EQ(run({"wait"}).code, 7);
  end(v1::RUN_STATE_STOPPED);
  const Finished stopped = run({"wait"});
  EXPECT_EQ(stopped.code, 7);
  EXPECT_THAT(stopped.out, HasSubstr("stopped: ended so"));
  EXPECT_EQ(run({"stop", "--wait"}).code, 0);
}

TEST_F(ProgramTest, WaitGivesUpAtItsTimeout) {
  const Finished finished = run({"wait", "--timeout", "0.2s"});
  EXPECT_EQ(finished.code, 124);
  EXPECT_THAT(finished.err, HasSubstr("the time given has passed"));
}

TEST_F(ProgramTest, LogsAreNeutralAndComplete) {
  daemon_.set([](Canned& canned) { canned.log_pieces = {"one\n\x1b[2Jtwo\n", "three \xff\n"}; });
  EXPECT_EQ(run({"logs"}).out, "one\n\\x1b[2Jtwo\nthree \\xff\n");
  EXPECT_EQ(run({"logs", "--json"}).out,
            "{\"line\":\"one\"}\n{\"line\":\"\\\\x1b[2Jtwo\"}\n{\"line\":\"three \\\\xff\"}\n");
}

TEST_F(ProgramTest, TranslateAnswersLineForLineInPieces) {
  std::string input;
  std::string expected;
  for (int i = 0; i < 2345; ++i) {
    input += std::to_string(i) + "\n";
    expected += "<" + std::to_string(i) + ">\n";
  }
  const Finished finished = run({"translate"}, input);
  EXPECT_EQ(finished.out, expected);
  EXPECT_THAT(finished.err, HasSubstr("answered by newest.safetensors"));
  daemon_.set([](Canned& canned) {
    EXPECT_THAT(canned.translated_lines, ::testing::ElementsAre(1000, 1000, 345));
  });
}

TEST_F(ProgramTest, TranslateKeepsEmptyLinesAndALineWithoutAnEnd) {
  EXPECT_EQ(run({"translate"}, "a\n\nb").out, "<a>\n<>\n<b>\n");
  EXPECT_EQ(run({"translate"}, "").out, "");
  EXPECT_THAT(run({"translate", "--best"}, "a\n").err, HasSubstr("best.safetensors"));
  EXPECT_EQ(json::parse(run({"translate", "--json"}, "a\n").out)["output"], "<a>");
}

TEST_F(ProgramTest, TranslateShowsSeveralAnswersWithTheirScores) {
  const Finished finished = run({"translate", "--n-best", "2", "--beam", "4"}, "a\nb\n");
  EXPECT_EQ(finished.out, "-0.2500\t<a>\n-1.2500\ta1\n\n-0.2500\t<b>\n-1.2500\tb1\n\n");
  daemon_.set([](Canned& canned) {
    EXPECT_EQ(canned.translated.n_best(), 2);
    EXPECT_EQ(canned.translated.beam(), 4);
  });
  const json line = json::parse(run({"translate", "--n-best", "2", "--json"}, "a\n").out);
  EXPECT_EQ(line["output"], "<a>");
  ASSERT_EQ(line["answers"].size(), 2u);
  EXPECT_EQ(line["answers"][1],
            json({{"output", "a1"}, {"score", -1.25}, {"log_probability", -3.5}, {"ended", true}}));
}

TEST_F(ProgramTest, TranslateSendsWhatItWasToldOfDrawing) {
  EXPECT_EQ(
      run({"translate", "--temperature", "0.7", "--seed", "5", "--max-tokens", "9"}, "a\n").code,
      0);
  daemon_.set([](Canned& canned) {
    EXPECT_EQ(canned.translated.temperature(), 0.7);
    EXPECT_EQ(canned.translated.seed(), 5u);
    EXPECT_EQ(canned.translated.max_tokens(), 9);
  });
}

class VerifyTest : public ProgramTest {
 protected:
  // What the daemon tells: that it began, that it trains, and what came of it.
  void tell(const v1::VerifyResult& result, const std::string& beside = "") {
    daemon_.set([&](Canned& canned) {
      canned.verification.assign(3, {});
      *canned.verification[0].mutable_started()->mutable_run() = canned.status.run();
      canned.verification[0].mutable_started()->set_beside(beside);
      *canned.verification[1].mutable_progress() = test::verify_progress(1200);
      *canned.verification[2].mutable_result() = result;
    });
  }
};

TEST_F(VerifyTest, SaysWhatItFoundAndExitsWithIt) {
  tell(test::same_result(), "spelling");
  const Finished same = run({"verify", "spelling"});
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_THAT(same.out, ::testing::StartsWith("spelling  the same, to the last bit\n"));
  EXPECT_THAT(same.err, HasSubstr("run spelling is training meanwhile"));
  EXPECT_THAT(same.err, HasSubstr("training anew from checkpoint-000000001125.safetensors"));
  EXPECT_EQ(same.err.find('\r'), std::string::npos);
  daemon_.set([](Canned& canned) { EXPECT_EQ(canned.verified.run(), "spelling"); });

  tell(test::different_result());
  const Finished different = run({"verify"});
  EXPECT_EQ(different.code, 1);
  EXPECT_THAT(different.out, ::testing::StartsWith("spelling  DIFFERENT\n"));
  v1::VerifyResult close = test::different_result();
  close.set_verdict(v1::VERDICT_CLOSE);
  tell(close);
  EXPECT_EQ(run({"verify"}).code, 0);
}

TEST_F(VerifyTest, AsJsonItIsOneObjectAndQuietlyOneWord) {
  tell(test::different_result());
  const Finished finished = run({"verify", "--json"});
  EXPECT_EQ(finished.code, 1);
  const json told = json::parse(finished.out);
  EXPECT_EQ(told["run"], "spelling");
  EXPECT_EQ(told["verdict"], "different");
  EXPECT_EQ(told["steps"], 275);
  const Finished quiet = run({"-q", "verify"});
  EXPECT_EQ(quiet.out, "different\n");
  EXPECT_THAT(quiet.err, IsEmpty());
}

TEST_F(VerifyTest, WithoutAVerdictItFails) {
  tell(test::same_result());
  daemon_.set([](Canned& canned) {
    canned.verification.pop_back();
    canned.verification_end = {grpc::StatusCode::FAILED_PRECONDITION, "one good checkpoint alone"};
  });
  const Finished refused = run({"verify"});
  EXPECT_EQ(refused.code, 6);
  EXPECT_THAT(refused.out, IsEmpty());
  EXPECT_THAT(refused.err, HasSubstr("one good checkpoint alone"));
  daemon_.set([](Canned& canned) { canned.verification_end = grpc::Status::OK; });
  EXPECT_EQ(run({"verify"}).code, 1);
}

TEST_F(VerifyTest, OnATerminalItsProgressIsDrawnAnewAndTakenAway) {
  tell(test::same_result());
  test::TerminalProgram program({"-H", daemon_.host(), "verify"}, 100, 30);
  const Finished finished = program.finish();
  EXPECT_EQ(finished.code, 0);
  EXPECT_THAT(finished.out, HasSubstr("\r\x1b[Ktrained anew: 75 of 275 steps"));
  EXPECT_THAT(finished.out, HasSubstr("\r\x1b[K\x1b[1mspelling"));
}

TEST_F(ProgramTest, ResumeSendsWhatIsToChangeAndNothingElse) {
  EXPECT_EQ(run({"resume", "spelling", "--epochs", "20"}).code, 0);
  daemon_.set([](Canned& canned) {
    EXPECT_EQ(canned.resumed.epochs(), 20);
    EXPECT_FALSE(canned.resumed.has_learning_rate() || canned.resumed.has_batch_size());
  });
  EXPECT_EQ(run({"resume", "spelling", "--learning-rate", "5e-4", "--batch-size", "64"}).code, 0);
  daemon_.set([](Canned& canned) {
    EXPECT_EQ(canned.resumed.learning_rate(), 5e-4);
    EXPECT_EQ(canned.resumed.batch_size(), 64);
    EXPECT_FALSE(canned.resumed.has_epochs());
  });
}

TEST_F(ProgramTest, TranslateNamesTheLineThatIsNotUtf8) {
  const Finished finished = run({"translate"}, "a\nb\xff\n");
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.err, HasSubstr("line 2 of the input is not UTF-8"));
}

TEST_F(ProgramTest, VersionNamesTrainctlEvenWithoutADaemon) {
  const Finished both = run({"version"});
  EXPECT_THAT(both.out, HasSubstr("trainctl " TRAIND_VERSION));
  EXPECT_THAT(both.out, HasSubstr("9.8.7"));
  daemon_.stop();
  const Finished alone = run({"version"});
  EXPECT_EQ(alone.out, "trainctl " TRAIND_VERSION "\n");
  EXPECT_EQ(alone.code, 3);
}

TEST_F(ProgramTest, ThereIsNoColourOffATerminalUnlessForced) {
  EXPECT_EQ(run({"status"}).out.find('\x1b'), std::string::npos);
  const std::string host = "TRAINCTL_HOST=" + daemon_.host();
  EXPECT_THAT(run_trainctl({{}, "", {host, "CLICOLOR_FORCE=1"}}).out, HasSubstr("\x1b["));
  for (const auto& [option, variable] : std::vector<std::pair<std::string, std::string>>{
           {"--no-color", "A=b"}, {"--quiet", "NO_COLOR=1"}}) {
    const Finished plain =
        run_trainctl({{"status", option}, "", {host, "CLICOLOR_FORCE=1", variable}});
    EXPECT_EQ(plain.code, 0) << plain.err;
    EXPECT_EQ(plain.out.find('\x1b'), std::string::npos);
  }
}

TEST_F(ProgramTest, AsciiIsUsedWhereTheLocaleIsNotUtf8) {
  daemon_.set([](Canned& canned) { canned.metrics = test::falling_loss(50); });
  const std::string host = "TRAINCTL_HOST=" + daemon_.host();
  const auto plot = [&](const std::string& locale, std::vector<std::string> arguments) {
    return run_trainctl({std::move(arguments), "", {host, "LC_ALL=" + locale}}).out;
  };
  EXPECT_THAT(plot("C.UTF-8", {"plot"}), HasSubstr("┤"));
  for (const char c : plot("C", {"plot"})) EXPECT_LT(static_cast<unsigned char>(c), 0x80);
  EXPECT_EQ(plot("C", {"plot"}), plot("C.UTF-8", {"plot", "--ascii"}));
}

TEST_F(ProgramTest, APipedWatchIsOneLineForEachEvent) {
  end(v1::RUN_STATE_COMPLETED);
  const Finished text = run({"watch"});
  EXPECT_EQ(text.code, 0);
  EXPECT_EQ(std::count(text.out.begin(), text.out.end(), '\n'), 10);
  const Finished lines = run({"watch", "--json", "--after", "7"});
  EXPECT_EQ(std::count(lines.out.begin(), lines.out.end(), '\n'), 3);
  EXPECT_EQ(json::parse(lines.out.substr(0, lines.out.find('\n')))["sequence"], 8);
}

TEST_F(ProgramTest, AWatchOfARunThatFailsExitsWithSeven) {
  end(v1::RUN_STATE_FAILED);
  EXPECT_EQ(run({"watch"}).code, 7);
}

TEST_F(ProgramTest, AReaderThatGoesAwayEndsItQuietly) {
  daemon_.set([](Canned& canned) { canned.metrics = test::falling_loss(20000); });
  const std::string command = std::string("set -o pipefail; ") + TRAINCTL_PATH +
                              " metrics --csv | head -n 1; echo ${PIPESTATUS[0]}";
  const std::string line = "TRAINCTL_HOST=" + daemon_.host() + " bash -c '" + command + "' 2>&1";
  FILE* pipe = popen(line.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string text;
  for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) text += static_cast<char>(c);
  pclose(pipe);
  EXPECT_THAT(text, ::testing::MatchesRegex("step,epoch,[a-z_,]*\n0\n"));
}

}  // namespace
}  // namespace traind
