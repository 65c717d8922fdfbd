#include "model/worker/control_reader.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "model/base/error.h"
#include "model/worker/console.h"
#include "model/worker/frame.h"
#include "traind/v1/worker.pb.h"

namespace traind {
namespace {

// Before the first step there is nothing to save, and some of what is done then cannot be
// interrupted: learning subwords, opening a device.
constexpr std::chrono::seconds kPatienceAtStart{5};
// Below the 120 s for which the next worker waits for this one's lock (run_command.cc).
constexpr std::chrono::seconds kPatienceWithOrphan{110};
constexpr int kLookMilliseconds = 500;

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

void block_signals() {
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  // A file that may not grow is an error like a full disk, and not the end.
  signal(SIGXFSZ, SIG_IGN);
}

void obey(const char* bytes, std::size_t count, FrameReader& frames, TrainerControl& control) {
  frames.append(bytes, count);
  while (const auto frame = frames.next()) {
    v1::WorkerControl message;
    if (!message.ParseFromString(*frame)) continue;
    switch (message.request_case()) {
      case v1::WorkerControl::kStop:
        control.request_stop();
        break;
      case v1::WorkerControl::kSaveCheckpoint:
        control.request_save();
        break;
      case v1::WorkerControl::kStoredStep:
        control.acknowledge(message.stored_step());
        break;
      case v1::WorkerControl::REQUEST_NOT_SET:
        break;
    }
  }
}

ControlReader::ControlReader(TrainerControl& control, int control_fd)
    : control_(control),
      status_at_start_(control_fd < 0 ? exit_code(ErrorKind::kCancelled) : 0),
      control_fd_(control_fd) {
  const sigset_t signals = stop_signals();
  signal_fd_ = signalfd(-1, &signals, SFD_CLOEXEC);
  if (signal_fd_ < 0) throw system_error("signalfd", errno);
  wake_fd_ = eventfd(0, EFD_CLOEXEC);
  if (wake_fd_ < 0) {
    close(signal_fd_);
    throw system_error("eventfd", errno);
  }
  thread_ = std::thread([this] { run(); });
}

ControlReader::~ControlReader() {
  const std::uint64_t one = 1;
  if (write(wake_fd_, &one, sizeof one) != sizeof one) std::abort();
  thread_.join();
  close(signal_fd_);
  close(wake_fd_);
}

void ControlReader::run() {
  FrameReader frames;
  for (;;) {
    // poll() passes over a negative descriptor, which is how an ended control pipe is left out.
    pollfd waiting[3] = {{wake_fd_, POLLIN, 0}, {signal_fd_, POLLIN, 0}, {control_fd_, POLLIN, 0}};
    if (poll(waiting, 3, asked_at_ ? kLookMilliseconds : -1) < 0) continue;
    if (waiting[0].revents != 0) return;
    if (waiting[1].revents != 0) read_signal();
    if (waiting[2].revents != 0) read_control(frames);
    if (control_.stop_requested()) end_if_late();
  }
}

void ControlReader::end_if_late() {
  const Clock::time_point now = Clock::now();
  if (!asked_at_) asked_at_ = now;
  if (!control_.has_begun() && now - *asked_at_ >= kPatienceAtStart) {
    complain("stopped before the first step, ending at once");
    _exit(status_at_start_);
  }
  if (orphan_since_ && now - *orphan_since_ >= kPatienceWithOrphan) {
    complain("the daemon is gone and the checkpoint takes too long, ending without it");
    _exit(exit_code(ErrorKind::kCancelled));
  }
}

void ControlReader::read_signal() {
  signalfd_siginfo info;
  if (read(signal_fd_, &info, sizeof info) != sizeof info) return;
  if (asked_) {
    // Asked twice: whoever asks does not want to wait for a checkpoint. The newest one stands.
    complain("second signal, ending at once");
    _exit(128 + static_cast<int>(info.ssi_signo));
  }
  asked_ = true;
  control_.request_stop();
}

void ControlReader::read_control(FrameReader& frames) {
  char bytes[4096];
  const ssize_t count = read(control_fd_, bytes, sizeof bytes);
  if (count < 0 && errno == EINTR) return;
  if (count <= 0) {
    control_fd_ = -1;
    orphan_since_ = Clock::now();
    control_.request_stop();
    return;
  }
  try {
    obey(bytes, static_cast<std::size_t>(count), frames, control_);
  } catch (const Error& error) {
    // Whoever writes that is not the daemon any more.
    complain(std::string("the control pipe: ") + error.what());
    control_fd_ = -1;
    orphan_since_ = Clock::now();
    control_.request_stop();
  }
}

}  // namespace traind
