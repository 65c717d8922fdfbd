#include "daemon/daemon.h"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <thread>

#include "model/base/files.h"

namespace traind {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostStreams = 1536;
// On one core. If a message to a stream takes 30 microseconds, which is reckoned and not measured,
// news for all of them, one in each round, take a hundredth of the machine.
constexpr std::chrono::microseconds kPauseForEachStream{4000};
constexpr std::size_t kMostWaitingJobs = 16;
constexpr int kTranslators = 2;
// What callers and the mailer get at the end, together.
constexpr std::chrono::milliseconds kFarewell{1000};
// What the supervisor gets for its turn under way once it is to end at once, ...
constexpr std::chrono::milliseconds kLastTurn{500};
// ... and beyond its own limit when it is to end in order: its disk may hang.
constexpr std::chrono::seconds kBeyondItsLimit{2};
constexpr int kLookMilliseconds = 100;

sigset_t ending_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

Descriptor lock_state(const std::string& folder) {
  make_folders(folder);
  const std::string path = folder + "/traind.lock";
  Descriptor lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!lock.open()) throw system_error(path, errno);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    throw Error(ErrorKind::kState, folder +
                                       ": another traind works there; stop it, or choose "
                                       "another state_folder");
  }
  return lock;
}

std::unique_ptr<MailTransport> make_transport(const MailSettings& mail) {
  if (mail.route == MailRoute::kSmtp) return make_smtp_transport(mail.smtp);
  if (mail.route == MailRoute::kFolder) return make_folder_transport(mail.folder);
  return nullptr;
}

}  // namespace

void prepare_process() {
  const sigset_t signals = ending_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  // A file that may not grow is an error like a full disk, and not the end.
  std::signal(SIGXFSZ, SIG_IGN);
  umask(0027);
  // The mail password passes through this memory: no core dump, and no other process of this user.
  prctl(PR_SET_DUMPABLE, 0);
}

Daemon::Daemon(const DaemonConfig& config, const std::string& host)
    : config_(config),
      state_lock_(lock_state(config_.state_folder)),
      store_(config_.database()),
      desk_(config_.mail, host),
      pump_(kMostStreams, kPauseForEachStream / std::max(1u, std::thread::hardware_concurrency())),
      mailer_(store_, desk_, make_transport(config_.mail), config_.mail.identity.from,
              {config_.mail.retry_first, config_.mail.retry_longest}),
      supervisor_({config_, store_, board_, desk_,
                   [this] {
                     pump_.wake();
                     mailer_.wake();
                   }},
                  [this](const Pulse& pulse) { notifier_.turned(pulse); }),
      checks_(1, kMostWaitingJobs),
      translators_(kTranslators, kMostWaitingJobs),
      verifier_(config_),
      service_({config_, store_, board_, desk_, mailer_, supervisor_, pump_, checks_, translators_,
                verifier_}),
      server_(config_.listen, service_) {}

Daemon::~Daemon() = default;

bool Daemon::run() {
  supervisor_.begin();
  notifier_.ready();
  spdlog::info("traind {} serves {} with its state in {}", TRAIND_VERSION, config_.listen.socket,
               config_.state_folder);
  const End end = wait_for_end();
  const auto deadline = Clock::now() + (end == End::kInOrder ? kFarewell : std::chrono::seconds(0));
  const auto left = [&] {
    const auto time = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    return std::max(time, std::chrono::milliseconds(0));
  };
  checks_.stop();
  translators_.stop();
  verifier_.stop();
  pump_.close();
  if (end != End::kStuck) server_.stop(left());
  const bool mailer_ended = mailer_.stop(left());
  spdlog::info("traind ended");
  return mailer_ended && end != End::kStuck;
}

Daemon::End Daemon::wait_for_end() {
  const sigset_t ending = ending_signals();
  const Descriptor signals(signalfd(-1, &ending, SFD_CLOEXEC));
  if (!signals.open()) throw system_error("signalfd", errno);
  std::optional<Clock::time_point> deadline;
  for (int seen = 0;;) {
    std::array<pollfd, 2> watched = {
        {{signals.get(), POLLIN, 0}, {supervisor_.ended_descriptor(), POLLIN, 0}}};
    if (poll(watched.data(), watched.size(), deadline ? kLookMilliseconds : -1) < 0 &&
        errno != EINTR) {
      throw system_error("poll", errno);
    }
    if ((watched[1].revents & POLLIN) != 0) return seen > 1 ? End::kAtOnce : End::kInOrder;
    if (deadline && Clock::now() >= *deadline) {
      spdlog::error("ending without the supervisor, which does not answer");
      return End::kStuck;
    }
    if ((watched[0].revents & POLLIN) == 0) continue;
    signalfd_siginfo signal{};
    if (read(signals.get(), &signal, sizeof signal) != sizeof signal) continue;
    if (++seen == 1) {
      spdlog::info("asked to stop; a second signal ends at once");
      server_.begin_to_stop();
      supervisor_.stop();
      deadline = Clock::now() + Supervisor::longest_stop(config_.worker) + kBeyondItsLimit;
    } else {
      supervisor_.leave();
      deadline = std::min(*deadline, Clock::now() + kLastTurn);
    }
  }
}

}  // namespace traind
