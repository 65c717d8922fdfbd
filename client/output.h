// A stream the program writes to: whole texts, straight to the file descriptor.
//
// Not safe for several threads at once. A reader that has gone away (EPIPE) is no error of ours:
// write() throws ReaderGone, and main() ends quietly with 0. Anything else that keeps a result
// from being written throws Failure(kFailure), so that a full disk is never taken for success.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace traind {

struct ReaderGone : std::runtime_error {
  ReaderGone() : std::runtime_error("the reader of the output has gone away") {}
};

class Output {
 public:
  Output(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}

  // Waits until all of it is taken.
  void write(std::string_view text);
  int fd() const noexcept { return fd_; }

 private:
  const int fd_;
  const std::string name_;  // for messages: "standard output"
};

}  // namespace traind
