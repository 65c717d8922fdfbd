#include "daemon/worker_process.h"

#include <fcntl.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "daemon/oom_kills.h"
#include "model/base/error.h"
#include "traind/v1/worker.pb.h"

namespace traind {
namespace {

constexpr std::size_t kReadAtOnce = std::size_t{64} << 10;
constexpr std::size_t kReadPerTurn = std::size_t{1} << 20;

}  // namespace

WorkerProcess::WorkerProcess(const WorkerCommand& command) {
  const std::string log_path = command.folder + "/worker.log";
  const Descriptor log(open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  if (!log.open()) throw system_error(log_path, errno);
  Pipe events = make_pipe();
  Pipe control = make_pipe();
  set_nonblocking(events.read);
  set_nonblocking(control.write);
  Spawn what{command.program,
             {"run", "--folder", command.folder},
             {-1, log.get(), log.get(), events.write.get(), control.read.get()}};
  if (command.accept_changed_data) what.arguments.emplace_back("--accept-changed-data");
  kills_before_ = oom_kills();
  child_ = spawn(what);
  events_ = std::move(events.read);
  control_ = std::move(control.write);
}

WorkerProcess::~WorkerProcess() {
  if (left_ || status_) return;
  kill();
  waitpid(child_.pid, nullptr, 0);
}

std::vector<std::string> WorkerProcess::read_events() {
  std::vector<std::string> messages;
  // What came before nonsense still counts: the nonsense is thrown by the next look.
  const auto take_whole_ones = [&] {
    try {
      while (auto message = frames_.next()) messages.push_back(std::move(*message));
      return true;
    } catch (const Error&) {
      if (messages.empty()) throw;
      return false;
    }
  };
  std::array<char, kReadAtOnce> bytes;
  bool sound = take_whole_ones();
  for (std::size_t total = 0; sound && events_.open() && total < kReadPerTurn;) {
    const ssize_t got = read(events_.get(), bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) {
      events_.close();
      break;
    }
    total += static_cast<std::size_t>(got);
    frames_.append({bytes.data(), static_cast<std::size_t>(got)});
    sound = take_whole_ones();
  }
  return messages;
}

void WorkerProcess::ask_stop() {
  v1::WorkerControl control;
  control.set_stop(true);
  // A pipe that is full of older wishes is closed instead: its end means the same.
  if (!tell(control.SerializeAsString())) control_.close();
}

void WorkerProcess::ask_save() {
  v1::WorkerControl control;
  control.set_save_checkpoint(true);
  tell(control.SerializeAsString());
}

void WorkerProcess::acknowledge(std::int64_t step) {
  if (step <= acknowledged_) return;
  v1::WorkerControl control;
  control.set_stored_step(step);
  if (tell(control.SerializeAsString())) acknowledged_ = step;
}

// A frame is far below PIPE_BUF, so it goes in whole or not at all.
bool WorkerProcess::tell(const std::string& message) {
  const std::string frame = framed(message);
  return control_.open() &&
         write(control_.get(), frame.data(), frame.size()) == static_cast<ssize_t>(frame.size());
}

void WorkerProcess::kill() noexcept {
  if (!status_) ::kill(-child_.pid, SIGKILL);
}

std::optional<int> WorkerProcess::ended() {
  int status = 0;
  if (!status_ && waitpid(child_.pid, &status, WNOHANG) == child_.pid) {
    status_ = status;
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    const bool said_so =
        WIFEXITED(status) && WEXITSTATUS(status) == exit_code(ErrorKind::kNoMemory);
    ended_for_memory_ = said_so || (killed && oom_kills() > kills_before_);
  }
  return status_;
}

std::string WorkerProcess::end_words() const {
  std::string words = exit_words(*status_);
  if (ended_for_memory_)
    words += WIFSIGNALED(*status_) ? ": the kernel was out of memory" : ": out of memory";
  return words;
}

}  // namespace traind
