#include "client/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/address.h"

namespace traind {
namespace {

using ::testing::HasSubstr;

Options parsed(const std::vector<std::string>& arguments) {
  return parse_command_line(arguments).options;
}

std::string refusal(const std::vector<std::string>& arguments) {
  try {
    parse_command_line(arguments);
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), Exit::kUsage);
    return failure.what();
  }
  ADD_FAILURE() << "not refused: " << ::testing::PrintToString(arguments);
  return "";
}

TEST(CommandLine, NoVerbMeansStatus) {
  EXPECT_EQ(parsed({}).verb, Verb::kStatus);
  EXPECT_TRUE(parsed({"--json"}).json);
}

TEST(CommandLine, OptionsForEveryVerbStandAnywhere) {
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"--json", "-H", "unix:///x", "status", "spelling"},
                                             {"status", "--json", "spelling", "-H", "unix:///x"},
                                             {"status", "spelling", "-H", "unix:///x", "--json"}}) {
    const Options options = parsed(arguments);
    EXPECT_EQ(options.verb, Verb::kStatus);
    EXPECT_EQ(options.run, "spelling");
    EXPECT_EQ(options.host, "unix:///x");
    EXPECT_TRUE(options.json);
  }
}

TEST(CommandLine, EveryVerbIsUnderstood) {
  const std::vector<std::pair<std::vector<std::string>, Verb>> verbs = {
      {{"start", "run.toml"}, Verb::kStart},
      {{"status"}, Verb::kStatus},
      {{"watch", "a"}, Verb::kWatch},
      {{"runs"}, Verb::kRuns},
      {{"stop", "a", "--wait"}, Verb::kStop},
      {{"resume", "a"}, Verb::kResume},
      {{"wait", "a"}, Verb::kWait},
      {{"metrics", "--csv"}, Verb::kMetrics},
      {{"plot", "--log"}, Verb::kPlot},
      {{"logs", "-f", "-n", "5"}, Verb::kLogs},
      {{"checkpoints"}, Verb::kCheckpoints},
      {{"save"}, Verb::kSave},
      {{"translate", "--best"}, Verb::kTranslate},
      {{"verify", "spelling"}, Verb::kVerify},
      {{"mail", "test"}, Verb::kMailTest},
      {{"mail", "list"}, Verb::kMailList},
      {{"mail", "retry", "12"}, Verb::kMailRetry},
      {{"version"}, Verb::kVersion}};
  for (const auto& [arguments, verb] : verbs) EXPECT_EQ(parsed(arguments).verb, verb);
  EXPECT_EQ(parsed({"plot", "--log"}).scale, Scale::kLog);
  EXPECT_EQ(parsed({"mail", "retry", "12"}).mail_id, 12);
  EXPECT_EQ(parsed({"mail", "list", "--json"}).json, true);
}

TEST(CommandLine, TheTimeoutOfWaitIsItsOwn) {
  const Options options = parsed({"--timeout", "3s", "wait", "--timeout", "2h"});
  EXPECT_EQ(options.timeout_seconds, 3);
  EXPECT_EQ(options.wait_seconds, 7200);
}

TEST(CommandLine, WhatAResumeChangesIsNamed) {
  const Options none = parsed({"resume", "a"});
  EXPECT_FALSE(none.learning_rate || none.epochs || none.batch_size);
  const Options all =
      parsed({"resume", "a", "--learning-rate", "5e-4", "--epochs", "20", "--batch-size", "64"});
  EXPECT_EQ(all.learning_rate, 5e-4);
  EXPECT_EQ(all.epochs, 20);
  EXPECT_EQ(all.batch_size, 64);
  EXPECT_EQ(parsed({"start", "x.toml", "--from", "a@best"}).from, "a@best");
}

TEST(CommandLine, TranslateSaysHowToSearch) {
  const Options options = parsed({"translate", "--beam", "8", "--n-best", "3", "--max-tokens", "9",
                                  "--temperature", "0.7", "--seed", "5"});
  EXPECT_EQ(options.beam, 8);
  EXPECT_EQ(options.n_best, 3);
  EXPECT_EQ(options.max_tokens, 9);
  EXPECT_EQ(options.temperature, 0.7);
  EXPECT_EQ(options.seed, 5u);
}

TEST(CommandLine, WhatIsNotUnderstoodIsRefused) {
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"--nonsense"},
                                             {"status", "a", "b"},
                                             {"start"},
                                             {"wait", "--timeout", "soon"},
                                             {"metrics", "--csv", "--jsonl"},
                                             {"logs", "-n", "many"},
                                             {"mail"},
                                             {"mail", "burn"},
                                             {"plot", "--height", "2"},
                                             {"help", "nothing"},
                                             {"status", "runs", "stop"},
                                             {"status", "\xff"},
                                             {"mail", "retry", "-3"},
                                             {"resume", "a", "--epochs", "0"},
                                             {"resume", "a", "--epochs", "2.5"},
                                             {"resume", "a", "--learning-rate", "-1"},
                                             {"resume", "a", "--learning-rate", "fast"},
                                             {"resume", "a", "--batch-size", "fit"},
                                             {"translate", "--n-best", "0"}}) {
    EXPECT_NE(refusal(arguments), "");
  }
}

TEST(CommandLine, AMistypedVerbIsNamed) {
  EXPECT_THAT(refusal({"statsu"}), HasSubstr("did you mean status?"));
  EXPECT_THAT(refusal({"cehckpoints"}), HasSubstr("did you mean checkpoints?"));
  EXPECT_THAT(refusal({"frobnicate"}), ::testing::Not(HasSubstr("did you mean")));
}

TEST(CommandLine, ARefusalIsFitForATerminal) {
  EXPECT_EQ(refusal({"\x1b[2J"}).find('\x1b'), std::string::npos);
}

TEST(CommandLine, HelpShowsExamplesFirst) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"--help"}, {"-h"}, {"help"}, {"watch", "-h"}, {"help", "watch"}}) {
    const auto answer = parse_command_line(arguments).answer;
    ASSERT_TRUE(answer);
    EXPECT_LT(answer->text.find("Examples:"), answer->text.find("Usage:"));
    EXPECT_THAT(answer->text, HasSubstr("Exit codes"));
  }
  EXPECT_THAT(parse_command_line({"watch", "-h"}).answer->text, HasSubstr("--after"));
  EXPECT_THAT(parse_command_line({"help", "watch"}).answer->text, HasSubstr("--after"));
}

TEST(CommandLine, ExitCodesAreATopicOfHelp) {
  const auto answer = parse_command_line({"help", "exit-codes"}).answer;
  ASSERT_TRUE(answer);
  for (const char* code : {"  0 ", "  1 ", "  7 ", "124", "130"}) {
    EXPECT_THAT(answer->text, HasSubstr(code));
  }
}

TEST(Address, EveryWayOfWritingASocket) {
  for (const char* text : {"unix:///run/x.sock", "unix:/run/x.sock", "/run/x.sock"}) {
    EXPECT_EQ(parse_address(text).target, "unix:/run/x.sock");
    EXPECT_EQ(parse_address(text).socket_path, "/run/x.sock");
  }
  EXPECT_TRUE(parse_address("./demo-state/traind.sock").socket_path.starts_with("/"));
  for (const char* text : {"127.0.0.1:7433", "localhost:7433", "[::1]:7433"}) {
    EXPECT_EQ(parse_address(text).target, text);
    EXPECT_EQ(parse_address(text).socket_path, "");
  }
}

TEST(Address, WhatCannotWorkIsRefusedWithTheReason) {
  const auto why = [](const std::string& text) -> std::string {
    try {
      parse_address(text);
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.code(), Exit::kUsage);
      return failure.what();
    }
    return "";
  };
  EXPECT_THAT(why("10.0.0.1:7433"), HasSubstr("not encrypted"));
  EXPECT_THAT(why("127.0.0.1.example.org:7433"), HasSubstr("not encrypted"));
  EXPECT_THAT(why("ssh://host"), HasSubstr("unknown kind"));
  for (const char* text : {"", "host", "host:", "host:0", "host:99999", "localhost:7433x"}) {
    EXPECT_THAT(why(text), HasSubstr("is no address")) << text;
  }
  EXPECT_THAT(why("unix:///" + std::string(200, 'x')), HasSubstr("too long"));
}

}  // namespace
}  // namespace traind
