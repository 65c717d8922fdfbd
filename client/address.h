// Where traind listens, as typed after -H or in TRAINCTL_HOST.
//
// A value. Written as unix:///path, unix:/path, a path with a slash in it, or HOST:PORT with a
// loopback host: traind speaks without encryption, so anything further away is refused here.
#pragma once

#include <string>

namespace traind {

struct Address {
  std::string target;       // for gRPC: "unix:/run/traind/traind.sock", "127.0.0.1:7433"
  std::string socket_path;  // empty for TCP
};

inline constexpr const char* kDefaultAddress = "unix:///run/traind/traind.sock";

// Throws Failure(kUsage).
Address parse_address(const std::string& text);

// Why connecting to a Unix socket fails just now: 0 when it succeeds, else errno. Does not wait
// for an answer from the other side.
int connect_error(const std::string& socket_path);

}  // namespace traind
