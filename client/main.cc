// trainctl: reads the command line, runs one verb, and turns whatever went wrong into a sentence
// on standard error and an exit code.
#include <unistd.h>

#include <clocale>
#include <csignal>
#include <exception>
#include <string>
#include <vector>

#include "client/address.h"
#include "client/command_line.h"
#include "client/terminal_text.h"
#include "client/verbs.h"

namespace {

using traind::Exit;

// Ctrl-C ends every verb at once; `watch` has a handler of its own while it is on a terminal.
void interrupted(int) { _exit(static_cast<int>(Exit::kInterrupted)); }

// Whatever a sentence repeats of arguments, files or the daemon's words.
int complain(const char* words, Exit code) {
  const std::string sentence = "trainctl: " + traind::neutral(words, traind::Lines::kMany) + "\n";
  static_cast<void>(!write(STDERR_FILENO, sentence.data(), sentence.size()));
  return static_cast<int>(code);
}

Exit run(const traind::CommandLine& line, traind::Output& out, traind::Output& talk) {
  if (line.answer) {
    out.write(line.answer->text);
    return Exit::kOk;
  }
  const traind::Options& options = line.options;
  traind::Connection connection(traind::parse_address(options.host), options.timeout_seconds);
  traind::Session session{options, connection, out, talk,
                          traind::look_of(out.fd(), options.no_color, options.ascii)};
  return traind::run_verb(session);
}

}  // namespace

int main(int argc, char** argv) {
  setlocale(LC_CTYPE, "");
  std::signal(SIGPIPE, SIG_IGN);
  // A shell that starts us in the background has SIGINT ignored, and means it.
  if (std::signal(SIGINT, interrupted) == SIG_IGN) std::signal(SIGINT, SIG_IGN);
  traind::Output out(STDOUT_FILENO, "standard output");
  traind::Output talk(STDERR_FILENO, "standard error");
  try {
    const auto line = traind::parse_command_line({argv + 1, argv + argc});
    return static_cast<int>(run(line, out, talk));
  } catch (const traind::ReaderGone&) {
    return static_cast<int>(Exit::kOk);
  } catch (const traind::Failure& failure) {
    return complain(failure.what(), failure.code());
  } catch (const std::exception& error) {
    return complain(error.what(), Exit::kFailure);
  }
}
