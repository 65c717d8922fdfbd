// Runs the worker's program for an answer: `check`, `translate` and `verify`. Its crash is an error
// here and nothing more.
//
// Waits for the program, up to the timeout; for threads that may wait (jobs.h).
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

namespace traind {

struct WorkerCall {
  std::string program;
  std::vector<std::string> arguments;
  std::string input;  // standard input; then its end
  std::chrono::milliseconds timeout{0};
};

// The one framed message on the program's standard output. Throws Error: kCancelled when `stop`
// was requested, kState at the timeout, kInternal with the program's last words when there is no
// message, kCorrupt when it is none, kIo when the program cannot be started.
std::string answer_of(const WorkerCall& call, const std::stop_token& stop);

// The same for a program that tells more than one message: `on_message` gets each as it comes, on
// this thread, and the timeout is the longest silence between two. Returns when the program has
// ended well. Throws likewise, and kInternal when it has not ended well.
void hear_messages(const WorkerCall& call, const std::stop_token& stop,
                   const std::function<void(const std::string&)>& on_message);

}  // namespace traind
