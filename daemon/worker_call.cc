#include "daemon/worker_call.h"

#include <poll.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
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
  using OnMessage = std::function<bool(const std::string&)>;  // false: no more of them

  RunningCall(const WorkerCall& call, const OnMessage& on_message)
      : input_(call.input), on_message_(on_message) {
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
  bool ended_well() const { return *status_ == 0; }

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
      if (!wants_more_) continue;
      frames_.append({bytes.data(), static_cast<std::size_t>(got)});
      std::optional<std::string> message;
      while (wants_more_ && (message = frames_.next())) wants_more_ = on_message_(*message);
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
  const OnMessage& on_message_;
  std::size_t fed_ = 0;
  Child child_;
  Descriptor stdin_;
  Descriptor stdout_;
  Descriptor stderr_;
  FrameReader frames_;
  bool wants_more_ = true;
  std::string errors_;
  std::optional<int> status_;
};

std::string name_of(const WorkerCall& call) { return call.program + " " + call.arguments.at(0); }

// `deadline` may be moved on meanwhile.
void wait_for_end(RunningCall& running, const WorkerCall& call, const std::stop_token& stop,
                  const Clock::time_point& deadline) {
  while (!running.finished()) {
    if (stop.stop_requested()) throw Error(ErrorKind::kCancelled, "the daemon is stopping");
    if (Clock::now() > deadline) {
      throw Error(ErrorKind::kState, name_of(call) + " gave no answer within " +
                                         std::to_string(call.timeout.count() / 1000) + " s");
    }
    running.wait_a_little();
  }
}

}  // namespace

std::string answer_of(const WorkerCall& call, const std::stop_token& stop) {
  std::optional<std::string> answer;
  const RunningCall::OnMessage take_one = [&](const std::string& message) {
    answer = message;
    return false;
  };
  RunningCall running(call, take_one);
  wait_for_end(running, call, stop, Clock::now() + call.timeout);
  if (!answer) throw Error(ErrorKind::kInternal, name_of(call) + " " + running.end_words());
  return *answer;
}

void hear_messages(const WorkerCall& call, const std::stop_token& stop,
                   const std::function<void(const std::string&)>& on_message) {
  Clock::time_point deadline = Clock::now() + call.timeout;
  const RunningCall::OnMessage hear = [&](const std::string& message) {
    deadline = Clock::now() + call.timeout;
    on_message(message);
    return true;
  };
  RunningCall running(call, hear);
  wait_for_end(running, call, stop, deadline);
  if (running.ended_well()) return;
  throw Error(ErrorKind::kInternal, name_of(call) + " " + running.end_words());
}

}  // namespace traind
