#include "client/address.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "client/exit_code.h"
#include "client/terminal_text.h"

namespace traind {

namespace {

constexpr std::size_t kLongestPath = sizeof(sockaddr_un::sun_path) - 1;

[[noreturn]] void refuse(const std::string& text, const std::string& why) {
  throw Failure(Exit::kUsage, "the address \"" + neutral(text) + "\" " + why);
}

Address unix_address(const std::string& text, const std::string& path) {
  if (path.empty()) refuse(text, "names no socket; write unix:///path/to/traind.sock");
  const std::string whole = std::filesystem::absolute(path).lexically_normal().string();
  // gRPC would cut a longer path off, or fail with a riddle.
  if (whole.size() > kLongestPath) {
    refuse(text, "is too long for a Unix socket: at most " + std::to_string(kLongestPath) +
                     " bytes; use a shorter path, or a symbolic link");
  }
  return {"unix:" + whole, whole};
}

bool is_loopback(const std::string& host) {
  in_addr number{};
  if (inet_pton(AF_INET, host.c_str(), &number) == 1) return ntohl(number.s_addr) >> 24 == 127;
  return host == "localhost" || host == "[::1]";
}

}  // namespace

Address parse_address(const std::string& text) {
  if (text.starts_with("unix://")) return unix_address(text, text.substr(7));
  if (text.starts_with("unix:")) return unix_address(text, text.substr(5));
  if (text.find("://") != std::string::npos) {
    refuse(text, "is of an unknown kind; write unix:///path/to/traind.sock or 127.0.0.1:7433");
  }
  if (text.find('/') != std::string::npos) return unix_address(text, text);

  const std::size_t colon = text.rfind(':');
  int port = 0;
  const char* const end = text.data() + text.size();
  if (colon != std::string::npos) {
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, port);
    if (error != std::errc() || stop != end) port = 0;
  }
  if (port < 1 || port > 65535) {
    refuse(text, "is no address; write unix:///path/to/traind.sock or 127.0.0.1:7433");
  }
  if (!is_loopback(text.substr(0, colon))) {
    refuse(text,
           "is not on this machine, and traind's port is not encrypted; forward its socket: "
           "ssh -L ./traind.sock:/run/traind/traind.sock HOST, then -H ./traind.sock");
  }
  return {text, ""};
}

int connect_error(const std::string& socket_path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, socket_path.data(), std::min(socket_path.size(), kLongestPath));
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  const int error =
      connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0 ? 0 : errno;
  close(fd);
  return error;
}

}  // namespace traind
