// The real daemon as a process: signals, sockets, systemd, exit statuses.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>

#include "daemon/schema.h"
#include "daemon/service_notifier.h"
#include "tests/daemon/daemon_process.h"

namespace traind {
namespace {

using ::testing::HasSubstr;
using Stub = v1::TrainingService::Stub;
using Clock = std::chrono::steady_clock;

class ProcessTest : public ::testing::Test {
 protected:
  bool ended_with(int wait_status, int exit_status) {
    return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == exit_status;
  }

  Scratch scratch_;
  DaemonProcess daemon_{scratch_};
  v1::StartRunResponse started_;
};

Descriptor unix_socket(const std::string& path, int type) {
  Descriptor socket(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  EXPECT_EQ(bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return socket;
}

TEST_F(ProcessTest, SocketIsForOwnerAndGroupAlone) {
  daemon_.boot();
  struct stat found {};
  ASSERT_EQ(stat(daemon_.socket().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0660u);
  EXPECT_EQ(std::filesystem::status(scratch_ / "state/traind.db").permissions() &
                std::filesystem::perms::others_all,
            std::filesystem::perms::none);
}

TEST_F(ProcessTest, AStaleSocketIsReplaced) {
  std::filesystem::create_directories(scratch_ / "state");
  { const Descriptor stale = unix_socket(daemon_.socket(), SOCK_STREAM); }
  daemon_.boot();
}

TEST_F(ProcessTest, ASocketThatAnswersIsLeftAlone) {
  std::filesystem::create_directories(scratch_ / "state");
  const Descriptor other = unix_socket(daemon_.socket(), SOCK_STREAM);
  listen(other.get(), 5);
  daemon_.launch();
  EXPECT_TRUE(ended_with(daemon_.wait(), 1)) << daemon_.log();
  EXPECT_THAT(daemon_.log(), HasSubstr("another traind answers there"));
  EXPECT_TRUE(std::filesystem::is_socket(daemon_.socket()));
}

TEST_F(ProcessTest, OneDaemonPerStateFolder) {
  daemon_.boot();
  DaemonProcess second(scratch_);
  second.launch();
  EXPECT_FALSE(ended_with(second.wait(), 0));
  EXPECT_THAT(daemon_.log(), HasSubstr("another traind works there"));
}

TEST_F(ProcessTest, ADatabaseOfANewerTraindIsRefusedForGoodAndLeftAsItIs) {
  const std::string path = scratch_ / "state/traind.db";
  const int newest = migrations().back().version;
  daemon_.boot();
  EXPECT_TRUE(ended_with(daemon_.end(SIGTERM), 0));
  Database(path, DatabaseAccess::kWrite)
      .script("PRAGMA user_version = " + std::to_string(newest + 1));
  const std::string before = content_of(path);
  daemon_.launch();
  // 78: systemd does not start it again, which would change nothing.
  EXPECT_TRUE(ended_with(daemon_.wait(), 78)) << daemon_.log();
  EXPECT_THAT(daemon_.log(), HasSubstr("version " + std::to_string(newest + 1)));
  EXPECT_THAT(daemon_.log(), HasSubstr("versions up to " + std::to_string(newest)));
  EXPECT_EQ(content_of(path), before);
}

TEST_F(ProcessTest, ADatabaseOfTheOldestVersionIsTakenOver) {
  std::filesystem::create_directories(scratch_ / "state");
  Database(scratch_ / "state/traind.db", DatabaseAccess::kWrite)
      .script(content_of(TRAIND_TEST_DATA "/version1_full.sql"));
  daemon_.boot();
  EXPECT_EQ(daemon_.status("spelling").run().state(), v1::RUN_STATE_COMPLETED);
  EXPECT_TRUE(daemon_.start("next", "", started_).ok());
}

TEST_F(ProcessTest, TcpBeyondLoopbackIsRefusedAtStart) {
  daemon_.more_config = "[listen]\ntcp = \"0.0.0.0:7433\"\n";
  daemon_.launch();
  EXPECT_TRUE(ended_with(daemon_.wait(), 78));
  EXPECT_THAT(daemon_.log(), HasSubstr("TLS with client certificates"));
}

TEST_F(ProcessTest, SigtermStopsGracefullyAndTheRunGoesOn) {
  daemon_.boot();
  ASSERT_TRUE(
      daemon_.start("a", "#! started; rows 3; until_stop\n#! started; rows 3; end\n", started_)
          .ok());
  ASSERT_TRUE(daemon_.comes_to("a", v1::RUN_STATE_RUNNING));
  EXPECT_TRUE(ended_with(daemon_.end(SIGTERM), 0)) << daemon_.log();
  EXPECT_THAT(content_of(started_.run().id().empty()
                             ? ""
                             : scratch_ / ("state/runs/" + started_.run().id() + "/control")),
              ::testing::Not(HasSubstr("EOF")));
  daemon_.boot();
  EXPECT_TRUE(daemon_.comes_to("a", v1::RUN_STATE_COMPLETED));
}

TEST_F(ProcessTest, ASecondSignalEndsAtOnceAndLeavesTheWorkerToSave) {
  daemon_.boot();
  ASSERT_TRUE(daemon_.start("a", "#! started; hang\n#! started; end\n", started_).ok());
  ASSERT_TRUE(daemon_.comes_to("a", v1::RUN_STATE_RUNNING));
  const auto before = Clock::now();
  kill(daemon_.pid(), SIGTERM);
  ASSERT_TRUE(daemon_.comes_to("a", v1::RUN_STATE_PREEMPTED));
  EXPECT_TRUE(ended_with(daemon_.end(SIGINT), 0));
  EXPECT_LT(Clock::now() - before, std::chrono::seconds(15));
  daemon_.boot();
  EXPECT_TRUE(daemon_.comes_to("a", v1::RUN_STATE_COMPLETED));
}

TEST_F(ProcessTest, KilledDaemonsRunGoesOnWithTheNextOne) {
  daemon_.boot();
  ASSERT_TRUE(daemon_
                  .start("a",
                         "#! started; rows 3; epoch_done 1; until_stop\n"
                         "#! started; rows 3; epoch_done 1; rows 3; end\n",
                         started_)
                  .ok());
  ASSERT_TRUE(eventually([&] { return daemon_.status("a").run().epoch() == 2; }));
  daemon_.end(SIGKILL);
  daemon_.boot();
  ASSERT_TRUE(daemon_.comes_to("a", v1::RUN_STATE_COMPLETED));
  v1::ListMetricsResponse metrics;
  ASSERT_TRUE(daemon_.call(&Stub::ListMetrics, v1::ListMetricsRequest(), metrics).ok());
  EXPECT_EQ(metrics.rows_size(), 6);
  v1::ListMailsResponse mails;
  ASSERT_TRUE(daemon_.call(&Stub::ListMails, v1::ListMailsRequest(), mails).ok());
  int epochs = 0;
  for (const v1::Mail& mail : mails.mails()) epochs += mail.kind() == "epoch" ? 1 : 0;
  EXPECT_EQ(epochs, 1);
}

TEST_F(ProcessTest, ASilentMailServerDoesNotHoldUpTheEnd) {
  const Descriptor server(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(server.get(), 5), 0);
  socklen_t size = sizeof address;
  getsockname(server.get(), reinterpret_cast<sockaddr*>(&address), &size);
  daemon_.more_config =
      "[mail]\ntransport = \"smtp\"\ntls = \"none\"\nhost = \"127.0.0.1\"\nport = " +
      std::to_string(ntohs(address.sin_port)) + "\nto = [\"a@b.example\"]\n";
  daemon_.boot();
  v1::SendTestMailResponse sent;
  ASSERT_TRUE(daemon_.call(&Stub::SendTestMail, v1::SendTestMailRequest(), sent).ok());
  pollfd waiting{server.get(), POLLIN, 0};
  ASSERT_EQ(poll(&waiting, 1, 30'000), 1);
  ASSERT_TRUE(daemon_.start("a", "#! started; rows 3; epoch_done 1; end\n", started_).ok());
  EXPECT_TRUE(daemon_.comes_to("a", v1::RUN_STATE_COMPLETED));
  const auto before = Clock::now();
  EXPECT_TRUE(ended_with(daemon_.end(SIGTERM), 0));
  EXPECT_LT(Clock::now() - before, std::chrono::seconds(15));
}

// Reads what the daemon tells systemd, until `wanted` has been said.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path) : socket_(unix_socket(path, SOCK_DGRAM)) {}
  bool hears(const std::string& wanted) {
    while (said_.find(wanted) == std::string::npos) {
      pollfd waiting{socket_.get(), POLLIN, 0};
      if (poll(&waiting, 1, 30'000) != 1) return false;
      std::array<char, 4096> bytes;
      const ssize_t got = recv(socket_.get(), bytes.data(), bytes.size(), 0);
      said_ += std::string(bytes.data(), static_cast<std::size_t>(got)) + "\n";
    }
    return true;
  }
  void forget() { said_.clear(); }
  const std::string& said() const { return said_; }

 private:
  Descriptor socket_;
  std::string said_;
};

TEST_F(ProcessTest, SystemdIsToldTheTruth) {
  NotifySocket systemd(scratch_ / "notify");
  daemon_.environment = {{"NOTIFY_SOCKET", scratch_ / "notify"}, {"WATCHDOG_USEC", "400000"}};
  daemon_.launch();
  ASSERT_TRUE(systemd.hears("READY=1")) << daemon_.log();
  // What is ready answers at once.
  v1::GetVersionResponse version;
  EXPECT_TRUE(daemon_.call(&Stub::GetVersion, v1::GetVersionRequest(), version).ok());
  ASSERT_TRUE(systemd.hears("WATCHDOG=1"));
  ASSERT_TRUE(daemon_.start("a", "#! started; rows 3; until_stop\n", started_).ok());
  EXPECT_TRUE(systemd.hears("STATUS=run a epoch 1/3 batch 3/10 loss 1.5000 ETA 1m:0s"))
      << systemd.said();
  systemd.forget();
  EXPECT_TRUE(systemd.hears("WATCHDOG=1"));
  kill(daemon_.pid(), SIGTERM);
  EXPECT_TRUE(systemd.hears("STOPPING=1"));
  EXPECT_TRUE(systemd.hears("EXTEND_TIMEOUT_USEC="));
  EXPECT_TRUE(ended_with(daemon_.wait(), 0));
}

TEST(ServiceNotifier, VouchesForASupervisorOnlyWhileItIsWell) {
  const Scratch scratch;
  NotifySocket systemd(scratch / "notify");
  setenv("NOTIFY_SOCKET", (scratch / "notify").c_str(), 1);
  setenv("WATCHDOG_USEC", "40", 1);
  ServiceNotifier notifier;
  notifier.turned({.healthy = false, .stopping = false, .status = "stuck"});
  notifier.turned({.healthy = true, .stopping = false, .status = "well"});
  ASSERT_TRUE(systemd.hears("WATCHDOG=1"));
  EXPECT_EQ(systemd.said(), "STATUS=stuck\nWATCHDOG=1\n");
  unsetenv("NOTIFY_SOCKET");
  unsetenv("WATCHDOG_USEC");
}

int run_to_end(std::vector<std::string> arguments, const std::string& output) {
  const pid_t pid = fork();
  if (pid == 0) {
    const Descriptor file(open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
    dup2(file.get(), 1);
    dup2(file.get(), 2);
    std::vector<char*> pointers = {const_cast<char*>("traind")};
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    execv(TRAIND_PROGRAM, pointers.data());
    _exit(127);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WEXITSTATUS(status);
}

TEST(TraindCommandLine, SaysWhatIsWrongWithTheConfigOrOk) {
  const Scratch scratch;
  const std::string config = scratch / "traind.toml";
  const std::string output = scratch / "output";
  write_file(config, std::string("[worker]\nprogram = \"") + TRAIND_FAKE_WORKER + "\"\n");
  EXPECT_EQ(run_to_end({"--config", config, "--check-config"}, output), 0);
  EXPECT_EQ(content_of(output), "ok\n");
  EXPECT_EQ(run_to_end({"--config", config, "--print-config", "--state", scratch / "s"}, output),
            0);
  EXPECT_THAT(content_of(output), HasSubstr("state_folder = \"" + scratch / "s" + "\"\n"));
  write_file(config, "[worker]\nprogramm = \"x\"\n");
  EXPECT_EQ(run_to_end({"--config", config, "--check-config"}, output), 78);
  EXPECT_THAT(content_of(output), HasSubstr(config + ":2: "));
  EXPECT_EQ(run_to_end({"--config", scratch / "none", "--check-config"}, output), 66);
  EXPECT_EQ(run_to_end({"--nonsense"}, output), 64);
  EXPECT_EQ(run_to_end({"--version"}, output), 0);
  EXPECT_EQ(content_of(output), std::string("traind ") + TRAIND_VERSION + "\n");
}

}  // namespace
}  // namespace traind
