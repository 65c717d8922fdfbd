#include "daemon/worker_call.h"

#include <poll.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

#include "daemon/frames.h"
#include "daemon/logging.h"
#include "daemon/spawn.h"
#include "model/base/error.h"

namespace traind {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLastWords = 2000;
constexpr int kLookMilliseconds = 100;  // how often a wish to stop is noticed

class RunningCall {
 public:
  RunningCall(const WorkerCall& call) : input_(call.input) {
    Pipe input = make_pipe();
    Pipe output = make_pipe();
    Pipe errors = make_pipe();
    set_nonblocking(input.write);
    set_nonblocking(output.read);
    set_nonblocking(errors.read);
    child_ = spawn(
        {call.program, call.arguments, {input.read.get(), output.write.get(), errors.write.get()}});
    stdin_ = std::move(input.write);
    stdout_ = std::move(output.read);
    stderr_ = std::move(errors.read);
  }
  ~RunningCall() {
    if (status_) return;
    kill(-child_.pid, SIGKILL);
    waitpid(child_.pid, nullptr, 0);
  }
  RunningCall(const RunningCall&) = delete;
  RunningCall& operator=(const RunningCall&) = delete;

  bool finished() const { return status_.has_value() && !stdout_.open(); }
  const std::optional<std::string>& message() const { return message_; }

  void wait_a_little() {
    std::array<pollfd, 4> watched = {{{stdin_.get(), POLLOUT, 0},
                                      {stdout_.get(), POLLIN, 0},
                                      {stderr_.get(), POLLIN, 0},
                                      {status_ ? -1 : child_.exit.get(), POLLIN, 0}}};
    poll(watched.data(), watched.size(), kLookMilliseconds);
    feed();
    read_output();
    read_errors();
    int status = 0;
    if (!status_ && waitpid(child_.pid, &status, WNOHANG) == child_.pid) status_ = status;
  }

  std::string end_words() const {
    std::string words = exit_words(*status_);
    if (!errors_.empty()) words += ": " + printable(errors_);
    return words;
  }

 private:
  void feed() {
    while (stdin_.open()) {
      if (fed_ == input_.size()) return stdin_.close();
      const ssize_t put = write(stdin_.get(), input_.data() + fed_, input_.size() - fed_);
      if (put < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (put < 0) return stdin_.close();
      fed_ += static_cast<std::size_t>(put);
    }
  }

  void read_output() {
    std::array<char, 65536> bytes;
    while (stdout_.open()) {
      const ssize_t got = read(stdout_.get(), bytes.data(), bytes.size());
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (got <= 0) return stdout_.close();
      if (message_) continue;  // one message is all that is wanted
      frames_.append({bytes.data(), static_cast<std::size_t>(got)});
      message_ = frames_.next();
    }
  }

  void read_errors() {
    std::array<char, 4096> bytes;
    while (stderr_.open()) {
      const ssize_t got = read(stderr_.get(), bytes.data(), bytes.size());
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (got <= 0) return stderr_.close();
      errors_.append(bytes.data(), static_cast<std::size_t>(got));
      if (errors_.size() > kLastWords) errors_.erase(0, errors_.size() - kLastWords);
    }
  }

  const std::string& input_;
  std::size_t fed_ = 0;
  Child child_;
  Descriptor stdin_;
  Descriptor stdout_;
  Descriptor stderr_;
  FrameReader frames_;
  std::optional<std::string> message_;
  std::string errors_;
  std::optional<int> status_;
};

}  // namespace

std::string answer_of(const WorkerCall& call, const std::stop_token& stop) {
  const Clock::time_point deadline = Clock::now() + call.timeout;
  const std::string what = call.program + " " + call.arguments.at(0);
  RunningCall running(call);
  while (!running.finished()) {
    if (stop.stop_requested()) throw Error(ErrorKind::kCancelled, "the daemon is stopping");
    if (Clock::now() > deadline) {
      throw Error(ErrorKind::kState, what + " gave no answer within " +
                                         std::to_string(call.timeout.count() / 1000) + " s");
    }
    running.wait_a_little();
  }
  if (!running.message()) throw Error(ErrorKind::kInternal, what + " " + running.end_words());
  return *running.message();
}

}  // namespace traind
