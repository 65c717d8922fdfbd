#include "daemon/listeners.h"

#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <memory>

#include "model/base/error.h"
#include "model/base/files.h"

namespace traind {
namespace {

// Callers that wait until they are taken in; the kernel takes less where it is set to.
constexpr int kBacklog = 1024;
// A caller that does not acknowledge what it was sent is gone, as gRPC's keepalive has it.
constexpr unsigned kUnacknowledgedMillis = 20'000;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

bool somebody_answers(const std::string& path) {
  const Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = address_of(path);
  // Not at once because its backlog is full: it is there all the same.
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ||
         errno == EAGAIN;
}

void make_room(const std::string& path) {
  make_folders(std::filesystem::path(path).parent_path().string());
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return;
  if (!S_ISSOCK(found.st_mode)) {
    throw Error(ErrorKind::kConfig, path +
                                        " is there and is no socket: set socket in [listen] to "
                                        "another path");
  }
  if (somebody_answers(path)) {
    throw Error(ErrorKind::kState, path +
                                       ": another traind answers there; stop it, or set socket "
                                       "in [listen] to another path");
  }
  if (unlink(path.c_str()) != 0) throw system_error(path + ": remove a stale socket", errno);
}

void give_to_group(const std::string& path, const std::string& group) {
  if (group.empty()) return;
  std::array<char, 4096> names;
  struct ::group entry {};
  struct ::group* found = nullptr;
  getgrnam_r(group.c_str(), &entry, names.data(), names.size(), &found);
  if (found == nullptr) {
    throw Error(ErrorKind::kConfig, "socket_group: there is no group " + group);
  }
  if (chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) != 0) {
    throw system_error(path + ": give it to group " + group, errno);
  }
}

void listen_on(const Descriptor& socket, const std::string& name) {
  if (listen(socket.get(), kBacklog) != 0) throw system_error("listen on " + name, errno);
}

void set_option(const Descriptor& socket, int level, int option, unsigned value) {
  setsockopt(socket.get(), level, option, &value, sizeof value);
}

}  // namespace

UnixListener::UnixListener(const std::string& path, const std::string& group)
    : path_(path), socket_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  make_room(path);
  if (!socket_.open()) throw system_error("socket", errno);
  // The file begins as nobody's but ours, whatever the umask, and is opened up when it is right.
  fchmod(socket_.get(), 0600);
  const sockaddr_un address = address_of(path);
  if (bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw system_error("cannot listen on " + path, errno);
  }
  struct stat made {};
  lstat(path.c_str(), &made);
  file_ = made.st_ino;
  give_to_group(path, group);
  if (chmod(path.c_str(), 0660) != 0) throw system_error(path + ": chmod", errno);
  listen_on(socket_, path);
}

UnixListener::~UnixListener() {
  struct stat found {};
  if (lstat(path_.c_str(), &found) == 0 && found.st_ino == file_) unlink(path_.c_str());
}

Descriptor listen_on_tcp(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  addrinfo wanted{};
  wanted.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(host.c_str(), address.c_str() + colon + 1, &wanted, &found);
  if (failed != 0) {
    throw Error(ErrorKind::kConfig, "cannot listen on " + address + ": " + gai_strerror(failed));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, freeaddrinfo);
  Descriptor listener(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.open()) throw system_error("cannot listen on " + address, errno);
  set_option(listener, SOL_SOCKET, SO_REUSEADDR, 1);
  // What is accepted inherits these two.
  set_option(listener, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(listener, IPPROTO_TCP, TCP_USER_TIMEOUT, kUnacknowledgedMillis);
  if (bind(listener.get(), found->ai_addr, found->ai_addrlen) != 0) {
    throw system_error("cannot listen on " + address, errno);
  }
  listen_on(listener, address);
  return listener;
}

}  // namespace traind
