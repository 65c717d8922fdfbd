// The terminal while something is shown live: alternate screen, no echo, no cursor, and signals
// turned into readable events.
//
// One at a time, on one thread, for as long as it lives; the destructor puts everything back, and
// so does a handler when the program dies of SIGSEGV, SIGABRT and their like. SIGINT, SIGTERM,
// SIGHUP, SIGTSTP and SIGWINCH arrive through next() meanwhile.
#pragma once

#include <signal.h>
#include <termios.h>

#include <array>
#include <string>
#include <vector>

#include "client/output.h"
#include "client/plot.h"

namespace traind {

enum class ScreenEvent { kNone, kKey, kResized, kStopSignal, kSuspend, kReaderGone };

class LiveScreen {
 public:
  // Throws Failure(kFailure) when the terminal cannot be set up. `output` outlives the screen.
  explicit LiveScreen(Output& output);
  ~LiveScreen();
  LiveScreen(const LiveScreen&) = delete;
  LiveScreen& operator=(const LiveScreen&) = delete;

  // What happened next: waits for a key, a signal, or `wake_fd` to become readable (kNone), at
  // most `milliseconds` (kNone too).
  ScreenEvent next(int wake_fd, int milliseconds);
  char key() const noexcept { return key_; }       // of the last kKey
  int signal() const noexcept { return signal_; }  // of the last kStopSignal

  // Puts the lines in place of those shown before, without a flicker.
  void show(const std::vector<std::string>& lines);
  PlotSize size() const;

  // Gives the terminal back, stops the process as Ctrl-Z does, and takes the terminal again when
  // it is continued.
  void suspend();

 private:
  void enter();
  void leave() noexcept;

  Output& output_;
  int signals_ = -1;  // the reading end of the pipe that the handler writes to
  bool keys_ = false;
  bool keys_ended_ = false;
  termios before_{};
  std::array<struct sigaction, 10> actions_before_{};
  char key_ = 0;
  int signal_ = 0;
};

}  // namespace traind
