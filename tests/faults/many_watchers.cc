// Many watchers of one run in one process, and what became of each of them, as JSON on stdout.
//
// usage: many_watchers SOCKET [--watchers N] [--stuck N] [--run RUN] [--status-every MILLISECONDS]
// SOCKET is the path of traind's Unix socket. A watcher is a connection of its own that speaks just
// enough HTTP/2, because a thousand of gRPC's clients would cost more than the daemon that is to be
// measured. Those that are stuck ask and never read. Beside them gRPC's own client asks for the
// status again and again. Says "watching" when every reader has heard something; ends when all
// readers were told the end, or on SIGTERM.
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "traind/v1/training.grpc.pb.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kNice = 19;  // the daemon and its training go first
constexpr std::uint32_t kLargestWindow = 0x7fffffff;
constexpr std::uint32_t kUsualWindow = 65535;

enum FrameType : unsigned char {
  kData = 0,
  kHeaders = 1,
  kReset = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kWindow = 8
};
constexpr unsigned char kAck = 1;
constexpr unsigned char kEndStream = 1;
constexpr unsigned char kEndHeaders = 4;
constexpr std::size_t kFrameHead = 9;

struct Options {
  std::string socket;
  std::string run;
  int watchers = 100;
  int stuck = 0;
  int status_every = 20;
};

std::string big_endian(std::uint32_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  return out;
}

std::uint32_t number_at(const std::string& bytes, std::size_t at, int size) {
  std::uint32_t value = 0;
  for (int i = 0; i < size; ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
  }
  return value;
}

std::string frame(FrameType type, unsigned char flags, std::uint32_t stream,
                  const std::string& body) {
  return big_endian(static_cast<std::uint32_t>(body.size()), 3) + static_cast<char>(type) +
         static_cast<char>(flags) + big_endian(stream, 4) + body;
}

// A header as HPACK has it without tables and without Huffman's code; all are short.
std::string header(const std::string& name, const std::string& value) {
  return std::string(1, '\0') + static_cast<char>(name.size()) + name +
         static_cast<char>(value.size()) + value;
}

std::string watch_request(const std::string& run, bool stuck) {
  traind::v1::WatchRunRequest request;
  request.set_run(run);
  const std::string body = request.SerializeAsString();
  constexpr std::uint16_t kInitialWindow = 4;
  std::string out = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  if (stuck) {
    out += frame(kSettings, 0, 0, "");
  } else {
    out += frame(kSettings, 0, 0, big_endian(kInitialWindow, 2) + big_endian(kLargestWindow, 4));
    out += frame(kWindow, 0, 0, big_endian(kLargestWindow - kUsualWindow, 4));
  }
  out += frame(kHeaders, kEndHeaders, 1,
               header(":method", "POST") + header(":scheme", "http") +
                   header(":path", "/traind.v1.TrainingService/WatchRun") +
                   header(":authority", "localhost") + header("te", "trailers") +
                   header("content-type", "application/grpc"));
  out +=
      frame(kData, kEndStream, 1,
            std::string(1, '\0') + big_endian(static_cast<std::uint32_t>(body.size()), 4) + body);
  return out;
}

// What one watcher has heard. Its own connection; one thread.
class Watcher {
 public:
  Watcher(const Options& options, bool stuck) {
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    options.socket.copy(address.sun_path, sizeof address.sun_path - 1);
    if (fd_ < 0 || connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error(options.socket + ": " + std::strerror(errno));
    }
    say(watch_request(options.run, stuck));
    fcntl(fd_, F_SETFL, O_NONBLOCK);
  }
  ~Watcher() { close(fd_); }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  int fd() const { return fd_; }

  // Takes in what has come. False when nothing more will.
  bool read() {
    std::array<char, 65536> bytes;
    for (;;) {
      const ssize_t got = recv(fd_, bytes.data(), bytes.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) break;
      if (got <= 0) return false;
      in_.append(bytes.data(), static_cast<std::size_t>(got));
    }
    std::size_t at = 0;
    while (!ended && in_.size() - at >= kFrameHead) {
      const std::size_t size = number_at(in_, at, 3);
      if (in_.size() - at < kFrameHead + size) break;
      take(static_cast<unsigned char>(in_[at + 3]), static_cast<unsigned char>(in_[at + 4]),
           in_.substr(at + kFrameHead, size));
      at += kFrameHead + size;
    }
    in_.erase(0, at);
    return !ended;
  }

  bool ended = false;  // was told the end of the stream
  std::int64_t messages = 0;
  std::int64_t progresses = 0;
  std::vector<std::int64_t> sequences;  // of stored events, as they came

 private:
  void say(const std::string& bytes) {
    if (send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size())) {
      throw std::runtime_error("cannot send");
    }
  }

  void take(unsigned char type, unsigned char flags, const std::string& body) {
    if (type == kData) data_ += body;
    if (type == kPing && (flags & kAck) == 0) say(frame(kPing, kAck, 0, body));
    if (type == kSettings && (flags & kAck) == 0) say(frame(kSettings, kAck, 0, ""));
    if (type == kHeaders && (flags & kEndStream) != 0) ended = true;
    if (type == kReset) throw std::runtime_error("a watcher was reset");
    constexpr std::size_t kMessageHead = 5;
    while (data_.size() >= kMessageHead) {
      const std::size_t size = number_at(data_, 1, 4);
      if (data_.size() < kMessageHead + size) break;
      traind::v1::WatchRunResponse event;
      if (!event.ParseFromString(data_.substr(kMessageHead, size))) {
        throw std::runtime_error("a watcher was told nonsense");
      }
      data_.erase(0, kMessageHead + size);
      ++messages;
      if (event.sequence() != 0) sequences.push_back(event.sequence());
      if (event.has_progress()) ++progresses;
    }
  }

  int fd_ = -1;
  std::string in_;
  std::string data_;
};

// Asks for the status until it is told to end.
class Prober {
 public:
  explicit Prober(const Options& options) : options_(options), thread_([this] { ask(); }) {}
  ~Prober() { end(); }
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  void end() {
    ending_ = true;
    if (thread_.joinable()) thread_.join();
    std::sort(millis_.begin(), millis_.end());
  }
  double at(double share) const {
    if (millis_.empty()) return 0;
    return millis_[static_cast<std::size_t>(share * static_cast<double>(millis_.size() - 1))];
  }
  std::size_t calls() const { return millis_.size(); }
  int failed() const { return failed_; }

 private:
  void ask() {
    const auto stub = traind::v1::TrainingService::NewStub(
        grpc::CreateChannel("unix:" + options_.socket, grpc::InsecureChannelCredentials()));
    while (!ending_) {
      const Clock::time_point begin = Clock::now();
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
      traind::v1::GetStatusRequest request;
      request.set_run(options_.run);
      traind::v1::GetStatusResponse response;
      if (!stub->GetStatus(&context, request, &response).ok()) ++failed_;
      millis_.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
      std::this_thread::sleep_for(std::chrono::milliseconds(options_.status_every));
    }
  }

  const Options options_;
  std::atomic<bool> ending_ = false;
  std::vector<double> millis_;  // the thread's until it has ended
  int failed_ = 0;              // likewise
  std::thread thread_;
};

volatile std::sig_atomic_t terminated = 0;

// Of the readers: what they heard, and how many of them heard something else than most.
struct Heard {
  std::int64_t ended = 0;
  std::int64_t messages = 0;
  std::int64_t progresses = 0;
  std::int64_t disordered = 0;
  std::map<std::vector<std::int64_t>, int> histories;
};

Heard heard_by(const std::vector<std::unique_ptr<Watcher>>& watchers) {
  Heard all;
  for (const auto& watcher : watchers) {
    all.ended += watcher->ended ? 1 : 0;
    all.messages += watcher->messages;
    all.progresses += watcher->progresses;
    const auto& told = watcher->sequences;
    const bool grows =
        std::adjacent_find(told.begin(), told.end(), std::greater_equal<>()) == told.end();
    all.disordered += grows ? 0 : 1;
    ++all.histories[told];
  }
  return all;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

void report(const std::vector<std::unique_ptr<Watcher>>& readers, const Prober& prober,
            double connect_seconds) {
  const Heard all = heard_by(readers);
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  std::printf("{\"readers\": %zu, \"ended\": %ld, \"messages\": %ld, \"progresses\": %ld,\n",
              readers.size(), all.ended, all.messages, all.progresses);
  std::printf(" \"disordered\": %ld, \"histories\": %zu, \"connect_seconds\": %.3f,\n",
              all.disordered, all.histories.size(), connect_seconds);
  std::printf(
      " \"status\": {\"calls\": %zu, \"failed\": %d, \"p50_ms\": %.2f, \"p99_ms\": %.2f, "
      "\"most_ms\": %.2f},\n",
      prober.calls(), prober.failed(), prober.at(0.5), prober.at(0.99), prober.at(1));
  std::printf(" \"cpu_seconds\": %.2f, \"sequences\": [",
              seconds(used.ru_utime) + seconds(used.ru_stime));
  const auto& told = all.histories.begin()->first;
  for (std::size_t i = 0; i < told.size(); ++i) {
    std::printf("%s%ld", i == 0 ? "" : ", ", told[i]);
  }
  std::printf("]}\n");
}

// Reads until all have been told the end, or we are.
void watch(const std::vector<std::unique_ptr<Watcher>>& readers) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (std::size_t i = 0; i < readers.size(); ++i) {
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    wanted.data.u64 = i;
    epoll_ctl(epoll, EPOLL_CTL_ADD, readers[i]->fd(), &wanted);
  }
  std::size_t left = readers.size();
  std::size_t silent = readers.size();
  std::array<epoll_event, 64> events;
  while (left > 0 && terminated == 0) {
    const int count = epoll_wait(epoll, events.data(), events.size(), 100);
    for (int i = 0; i < count; ++i) {
      Watcher& watcher = *readers[events[static_cast<std::size_t>(i)].data.u64];
      const bool first = watcher.messages == 0;
      if (!watcher.read()) {
        epoll_ctl(epoll, EPOLL_CTL_DEL, watcher.fd(), nullptr);
        --left;
      }
      if (first && watcher.messages > 0 && --silent == 0) {
        std::printf("watching\n");
        std::fflush(stdout);
      }
    }
  }
  close(epoll);
}

Options read_options(int count, char** arguments) {
  Options options;
  if (count < 2) throw std::runtime_error("which socket?");
  options.socket = arguments[1];
  for (int i = 2; i + 1 < count; i += 2) {
    const std::string name = arguments[i];
    const std::string value = arguments[i + 1];
    if (name == "--run") {
      options.run = value;
    } else if (name == "--watchers") {
      options.watchers = std::stoi(value);
    } else if (name == "--stuck") {
      options.stuck = std::stoi(value);
    } else if (name == "--status-every") {
      options.status_every = std::stoi(value);
    } else {
      throw std::runtime_error("what is " + name + "?");
    }
  }
  return options;
}

void run(const Options& options) {
  Prober prober(options);
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
  const Clock::time_point begin = Clock::now();
  std::vector<std::unique_ptr<Watcher>> readers;
  std::vector<std::unique_ptr<Watcher>> stuck;
  for (int i = 0; i < options.stuck; ++i) {
    stuck.push_back(std::make_unique<Watcher>(options, true));
  }
  for (int i = 0; i < options.watchers; ++i) {
    readers.push_back(std::make_unique<Watcher>(options, false));
  }
  const double connected = std::chrono::duration<double>(Clock::now() - begin).count();
  watch(readers);
  prober.end();
  report(readers, prober, connected);
}

}  // namespace

int main(int count, char** arguments) {
  std::signal(SIGTERM, [](int) { terminated = 1; });
  try {
    run(read_options(count, arguments));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "many_watchers: %s\n", error.what());
    return 1;
  }
}
