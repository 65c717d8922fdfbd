// trainctl as a child process: through pipes, or on a pseudo-terminal of its own.
//
// One thread. Every wait has a deadline of 20 s; the child is killed when the object goes.
#pragma once

#include <sys/types.h>
#include <termios.h>

#include <string>
#include <vector>

namespace traind::test {

struct Finished {
  int code = -1;  // exit code; -1 when a signal ended it
  int signal = 0;
  std::string out;
  std::string err;
};

struct Launch {
  std::vector<std::string> arguments;
  std::string input;
  std::vector<std::string> environment;  // "NAME=value", added to a bare one
};

// Runs to the end.
Finished run_trainctl(const Launch& launch);

class TerminalProgram {
 public:
  TerminalProgram(const std::vector<std::string>& arguments, int columns, int rows);
  ~TerminalProgram();
  TerminalProgram(const TerminalProgram&) = delete;
  TerminalProgram& operator=(const TerminalProgram&) = delete;

  // Reads until `text` appears after what was awaited before; false at the deadline or when the
  // program ends without it.
  bool await(const std::string& text);
  void type(const std::string& keys);
  void resize(int columns, int rows);
  void signal(int number);
  // True once the program is stopped, as by Ctrl-Z.
  bool await_stop();
  // Reads to the end and reaps.
  Finished finish();

  termios settings() const;
  const termios& settings_before() const { return before_; }  // before the program began
  const std::string& shown() const { return shown_; }

 private:
  bool read_more();

  int master_ = -1;
  int slave_ = -1;
  pid_t child_ = -1;
  termios before_{};
  std::string shown_;
  std::size_t awaited_ = 0;
};

}  // namespace traind::test
