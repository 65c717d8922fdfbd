#include "client/live_screen.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "client/exit_code.h"

namespace traind {

namespace {

// Alternate screen, cursor hidden; and back. DEC private modes 1049 and 25.
constexpr char kEnter[] = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr char kLeave[] = "\x1b[?2026l\x1b[0m\x1b[?25h\x1b[?1049l";

constexpr std::array<int, 5> kTold = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH};
constexpr std::array<int, 5> kFatal = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

// What a signal handler needs, which gets no argument of ours. Written by the one LiveScreen
// while no handler is installed.
struct HandlerState {
  int pipe = -1;
  int terminal = -1;
  bool keys = false;
  termios before{};
};
HandlerState handler_state;

void tell(int signal) {
  const int kept = errno;
  const auto byte = static_cast<unsigned char>(signal);
  // A full pipe has enough in it to wake the reader.
  static_cast<void>(!write(handler_state.pipe, &byte, 1));
  errno = kept;
}

// Installed with SA_RESETHAND: raising the signal again dies of it.
void restore_and_die(int signal) {
  static_cast<void>(!write(handler_state.terminal, kLeave, sizeof(kLeave) - 1));
  if (handler_state.keys) tcsetattr(STDIN_FILENO, TCSANOW, &handler_state.before);
  raise(signal);
}

}  // namespace

LiveScreen::LiveScreen(Output& output) : output_(output) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    throw Failure(Exit::kFailure, std::string("cannot make a pipe: ") + std::strerror(errno));
  }
  signals_ = ends[0];
  keys_ = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &before_) == 0 &&
          tcgetpgrp(STDIN_FILENO) == getpgrp();
  handler_state = {ends[1], output.fd(), keys_, before_};
  std::size_t i = 0;
  struct sigaction action {};
  for (const int signal : kTold) {
    action.sa_handler = tell;
    action.sa_flags = SA_RESTART;
    sigaction(signal, &action, &actions_before_[i++]);
  }
  for (const int signal : kFatal) {
    action.sa_handler = restore_and_die;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(signal, &action, &actions_before_[i++]);
  }
  enter();
}

LiveScreen::~LiveScreen() {
  leave();
  std::size_t i = 0;
  for (const int signal : kTold) sigaction(signal, &actions_before_[i++], nullptr);
  for (const int signal : kFatal) sigaction(signal, &actions_before_[i++], nullptr);
  close(handler_state.pipe);
  close(signals_);
}

void LiveScreen::enter() {
  if (keys_) {
    termios raw = before_;
    // Keys one by one and unseen; Ctrl-C stays a signal.
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
  }
  // Not through Output: a throw from here would leave the terminal as it is now.
  static_cast<void>(!write(output_.fd(), kEnter, sizeof(kEnter) - 1));
}

void LiveScreen::leave() noexcept {
  static_cast<void>(!write(output_.fd(), kLeave, sizeof(kLeave) - 1));
  if (keys_) tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
}

ScreenEvent LiveScreen::next(int wake_fd, int milliseconds) {
  pollfd ready[4] = {{signals_, POLLIN, 0},
                     {wake_fd, POLLIN, 0},
                     {output_.fd(), 0, 0},
                     {keys_ && !keys_ended_ ? STDIN_FILENO : -1, POLLIN, 0}};
  if (poll(ready, 4, milliseconds) <= 0) return ScreenEvent::kNone;
  if (ready[0].revents != 0) {
    unsigned char byte = 0;
    if (read(signals_, &byte, 1) != 1) return ScreenEvent::kNone;
    signal_ = byte;
    if (signal_ == SIGWINCH) return ScreenEvent::kResized;
    return signal_ == SIGTSTP ? ScreenEvent::kSuspend : ScreenEvent::kStopSignal;
  }
  if ((ready[2].revents & (POLLERR | POLLHUP)) != 0) return ScreenEvent::kReaderGone;
  if (ready[3].revents != 0) {
    if (read(STDIN_FILENO, &key_, 1) == 1) return ScreenEvent::kKey;
    keys_ended_ = true;
  }
  return ScreenEvent::kNone;
}

void LiveScreen::show(const std::vector<std::string>& lines) {
  // Mode 2026 holds the picture back until it is whole, where the terminal knows it.
  std::string text = "\x1b[?2026h\x1b[H";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    text += (i == 0 ? "" : "\r\n") + lines[i] + "\x1b[0m\x1b[K";
  }
  output_.write(text + "\x1b[J\x1b[?2026l");
}

PlotSize LiveScreen::size() const {
  const TerminalSize size = terminal_size(output_.fd());
  return {size.columns, size.rows};
}

void LiveScreen::suspend() {
  leave();
  raise(SIGSTOP);
  enter();
}

}  // namespace traind
