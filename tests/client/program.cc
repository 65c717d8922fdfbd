#include "tests/client/program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

namespace traind::test {

namespace {

constexpr std::chrono::seconds kPatience{20};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

pid_t spawn(const posix_spawn_file_actions_t& actions, short flags, const Launch& launch) {
  std::vector<std::string> arguments = {TRAINCTL};
  arguments.insert(arguments.end(), launch.arguments.begin(), launch.arguments.end());
  std::vector<std::string> environment = {"PATH=/usr/bin:/bin", "TZ=UTC", "TERM=xterm-256color"};
  // Sanitizers are told things through the environment.
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) {
      environment.push_back(std::string(name) + "=" + value);
    }
  }
  environment.insert(environment.end(), launch.environment.begin(), launch.environment.end());
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, static_cast<short>(flags | POSIX_SPAWN_SETSIGMASK));
  pid_t child = -1;
  const int error = posix_spawn(&child, TRAINCTL, &actions, &attributes, pointers(arguments).data(),
                                pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  return error == 0 ? child : -1;
}

void reap(pid_t child, Finished& finished) {
  int status = 0;
  if (waitpid(child, &status, 0) != child) return;
  if (WIFEXITED(status)) finished.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) finished.signal = WTERMSIG(status);
}

// Appends what `fd` has; false at its end.
bool append(int fd, std::string& text) {
  char piece[65536];
  const ssize_t size = read(fd, piece, sizeof(piece));
  if (size > 0) text.append(piece, static_cast<std::size_t>(size));
  return size > 0 || (size < 0 && errno == EINTR);
}

int milliseconds_until(std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

}  // namespace

Finished run_trainctl(const Launch& launch) {
  int in[2];
  int out[2];
  int err[2];
  for (int* ends : {in, out, err}) {
    if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  const pid_t child = spawn(actions, 0, launch);
  posix_spawn_file_actions_destroy(&actions);
  for (const int fd : {in[0], out[1], err[1]}) close(fd);

  std::thread writer([&] {
    std::string_view rest = launch.input;
    while (!rest.empty()) {
      const ssize_t size = write(in[1], rest.data(), rest.size());
      if (size <= 0) break;
      rest.remove_prefix(static_cast<std::size_t>(size));
    }
    close(in[1]);
  });
  Finished finished;
  pollfd ready[2] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (ready[0].fd >= 0 || ready[1].fd >= 0) {
    if (poll(ready, 2, milliseconds_until(deadline)) <= 0) {
      kill(child, SIGKILL);
      break;
    }
    if (ready[0].revents != 0 && !append(out[0], finished.out)) ready[0].fd = -1;
    if (ready[1].revents != 0 && !append(err[0], finished.err)) ready[1].fd = -1;
  }
  reap(child, finished);
  writer.join();
  close(out[0]);
  close(err[0]);
  return finished;
}

TerminalProgram::TerminalProgram(const std::vector<std::string>& arguments, int columns, int rows) {
  master_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master_ < 0 || grantpt(master_) != 0 || unlockpt(master_) != 0) std::abort();
  const std::string name = ptsname(master_);
  slave_ = open(name.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  resize(columns, rows);
  before_ = settings();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // The first terminal a session leader opens becomes its controlling one: Ctrl-C works.
  posix_spawn_file_actions_addopen(&actions, 0, name.c_str(), O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&actions, 0, 1);
  posix_spawn_file_actions_adddup2(&actions, 0, 2);
  child_ = spawn(actions, POSIX_SPAWN_SETSID, {arguments, "", {"LC_ALL=C.UTF-8"}});
  posix_spawn_file_actions_destroy(&actions);
}

TerminalProgram::~TerminalProgram() {
  if (child_ > 0) {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  close(slave_);
  close(master_);
}

// Waits for more, at most a moment.
bool TerminalProgram::read_more() {
  pollfd ready{master_, POLLIN, 0};
  return poll(&ready, 1, 20) > 0 && append(master_, shown_);
}

bool TerminalProgram::await(const std::string& text) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    const std::size_t at = shown_.find(text, awaited_);
    if (at != std::string::npos) {
      awaited_ = at + text.size();
      return true;
    }
    if (std::chrono::steady_clock::now() > deadline) return false;
    read_more();
  }
}

void TerminalProgram::type(const std::string& keys) {
  if (write(master_, keys.data(), keys.size()) < 0) std::abort();
}

void TerminalProgram::resize(int columns, int rows) {
  winsize size{};
  size.ws_col = static_cast<unsigned short>(columns);
  size.ws_row = static_cast<unsigned short>(rows);
  ioctl(master_, TIOCSWINSZ, &size);
}

void TerminalProgram::signal(int number) { kill(child_, number); }

bool TerminalProgram::await_stop() {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(child_), &info, WSTOPPED | WNOHANG);
    if (info.si_pid == child_) return true;
    read_more();
  }
  return false;
}

Finished TerminalProgram::finish() {
  Finished finished;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    // Its output is taken first: a full terminal would keep it from ending.
    while (read_more()) {
    }
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(child_), &info, WEXITED | WNOHANG | WNOWAIT);
    if (info.si_pid == child_) break;
    if (std::chrono::steady_clock::now() > deadline) kill(child_, SIGKILL);
  }
  while (read_more()) {
  }
  reap(child_, finished);
  child_ = -1;
  finished.out = shown_;
  return finished;
}

termios TerminalProgram::settings() const {
  termios result{};
  tcgetattr(slave_, &result);
  return result;
}

}  // namespace traind::test
