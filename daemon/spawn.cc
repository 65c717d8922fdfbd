#include "daemon/spawn.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "model/base/error.h"

// glibc 2.36 declares it without saying that it is C.
extern "C" {
#include <sys/pidfd.h>
}

namespace traind {
namespace {

// Above the numbers that a child is given, so that moving one never overwrites another.
constexpr int kParkedDescriptor = 16;

constexpr std::array<std::string_view, 7> kDaemonsOwn = {
    "NOTIFY_SOCKET=", "WATCHDOG_USEC=",  "WATCHDOG_PID=",         "LISTEN_FDS=",
    "LISTEN_PID=",    "LISTEN_FDNAMES=", "CREDENTIALS_DIRECTORY="};

struct Actions {
  Actions() { posix_spawn_file_actions_init(&value); }
  ~Actions() { posix_spawn_file_actions_destroy(&value); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
  posix_spawn_file_actions_t value;
};

struct Attributes {
  Attributes() {
    posix_spawnattr_init(&value);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&value, &none);
    posix_spawnattr_setsigdefault(&value, &all);
    posix_spawnattr_setpgroup(&value, 0);
    posix_spawnattr_setflags(
        &value, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Attributes() { posix_spawnattr_destroy(&value); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  posix_spawnattr_t value;
};

bool is_daemons_own(std::string_view variable) {
  return std::any_of(kDaemonsOwn.begin(), kDaemonsOwn.end(),
                     [&](std::string_view prefix) { return variable.starts_with(prefix); });
}

std::vector<char*> environment_for_child() {
  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!is_daemons_own(*variable)) environment.push_back(*variable);
  }
  environment.push_back(nullptr);
  return environment;
}

// Half of the machine's memory on top of what it really has, in the kernel's reckoning: whoever
// trains is killed before the one that starts it again. Refusal is harmless.
constexpr int kOfferToKernel = 500;

void offer_to_kernel(pid_t child) noexcept {
  int own = 0;
  if (std::FILE* file = std::fopen("/proc/self/oom_score_adj", "re")) {
    if (std::fscanf(file, "%d", &own) != 1) own = 0;
    std::fclose(file);
  }
  std::array<char, 64> path{};
  std::snprintf(path.data(), path.size(), "/proc/%d/oom_score_adj", static_cast<int>(child));
  if (std::FILE* file = std::fopen(path.data(), "we")) {
    std::fprintf(file, "%d", std::min(own + kOfferToKernel, 1000));
    std::fclose(file);
  }
}

}  // namespace

Child spawn(const Spawn& what) {
  Actions actions;
  std::vector<Descriptor> parked;
  for (std::size_t i = 0; i < what.descriptors.size(); ++i) {
    const int target = static_cast<int>(i);
    if (what.descriptors[i] < 0) {
      posix_spawn_file_actions_addopen(&actions.value, target, "/dev/null", O_RDWR, 0);
      continue;
    }
    parked.emplace_back(fcntl(what.descriptors[i], F_DUPFD_CLOEXEC, kParkedDescriptor));
    if (!parked.back().open()) throw system_error("duplicate a descriptor", errno);
    posix_spawn_file_actions_adddup2(&actions.value, parked.back().get(), target);
  }
  posix_spawn_file_actions_addclosefrom_np(&actions.value,
                                           static_cast<int>(what.descriptors.size()));

  std::vector<char*> arguments = {const_cast<char*>(what.program.c_str())};
  for (const std::string& argument : what.arguments) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);

  const Attributes attributes;
  Child child;
  const int failed =
      posix_spawn(&child.pid, what.program.c_str(), &actions.value, &attributes.value,
                  arguments.data(), environment_for_child().data());
  if (failed != 0) throw system_error("cannot start " + what.program, failed);
  offer_to_kernel(child.pid);
  child.exit = Descriptor(pidfd_open(child.pid, 0));
  if (!child.exit.open()) {
    const int error = errno;
    kill(-child.pid, SIGKILL);
    waitpid(child.pid, nullptr, 0);
    throw system_error("pidfd_open", error);
  }
  return child;
}

Pipe make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw system_error("pipe", errno);
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

void set_nonblocking(const Descriptor& descriptor) {
  const int flags = fcntl(descriptor.get(), F_GETFL);
  if (flags < 0 || fcntl(descriptor.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    throw system_error("set O_NONBLOCK", errno);
  }
}

std::string exit_words(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    const char* name = sigdescr_np(signal);
    return "was ended by signal " + std::to_string(signal) + " (" +
           (name == nullptr ? "unknown" : name) + ")";
  }
  return "ended with status " + std::to_string(WEXITSTATUS(wait_status));
}

}  // namespace traind
