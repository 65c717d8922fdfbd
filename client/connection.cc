#include "client/connection.h"

#include <cerrno>
#include <cstring>

#include "client/figures.h"
#include "client/terminal_text.h"

namespace traind {

namespace {

constexpr double kShortSeconds = 10;
constexpr double kLongSeconds = 600;

std::shared_ptr<grpc::Channel> channel_to(const Address& address) {
  grpc::ChannelArguments arguments;
  // A proxy in the environment is for the web, not for a socket on this machine.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Newer gRPC would send the escaped socket path as :authority, which older servers refuse.
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  // A watcher is back soon after the daemon is.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  // Time for one attempt. A socket forwarded by ssh connects at once and answers a round trip
  // later; a daemon that is shutting down may take the connection and never answer.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  return grpc::CreateCustomChannel(address.target, grpc::InsecureChannelCredentials(), arguments);
}

double seconds_for(Patience patience, double wanted) {
  if (wanted > 0) return wanted;
  return patience == Patience::kLong ? kLongSeconds : kShortSeconds;
}

}  // namespace

Connection::Connection(Address address, double timeout_seconds)
    : address_(std::move(address)),
      timeout_seconds_(timeout_seconds),
      stub_(v1::TrainingService::NewStub(channel_to(address_))) {}

std::chrono::system_clock::time_point Connection::deadline(Patience patience) const {
  const std::chrono::duration<double> seconds(seconds_for(patience, timeout_seconds_));
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::system_clock::duration>(seconds);
}

Failure Connection::failure(const grpc::Status& status) const {
  const std::string said = neutral(status.error_message());
  const Exit code = exit_of(status.error_code());
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return unreachable(said);
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return {code, "traind at " + address_.target +
                        " did not answer in time; a longer --timeout may help"};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {code, "traind at " + address_.target +
                        " does not know this request: it is older than this trainctl (see "
                        "`trainctl version`)"};
    default:
      return {code, said.empty() ? "traind failed without saying why (" +
                                       std::to_string(status.error_code()) + ")"
                                 : said};
  }
}

Failure Connection::unreachable(const std::string& message) const {
  const std::string where = "cannot reach traind at " + address_.target + ": ";
  const char* const how =
      "; is it running? Start it (systemctl start traind), or say where it is with -H";
  if (address_.socket_path.empty()) {
    return {Exit::kUnreachable, where + message + how};
  }
  const int error = connect_error(address_.socket_path);
  switch (error) {
    case 0:
      // The socket answers by now, so the words are the daemon's own, or the connection broke.
      return {Exit::kUnreachable, "traind at " + address_.target + ": " + message};
    case EACCES:
    case EPERM:
      return {Exit::kNotAllowed, "not allowed to connect to traind at " + address_.target +
                                     ": the socket is open to root and the group traind; join "
                                     "the group (adduser USER traind) and log in again"};
    case ENOENT:
      return {Exit::kUnreachable, where + "there is no such socket" + how};
    case ECONNREFUSED:
      return {Exit::kUnreachable, where + "nobody listens on the socket" + how};
    default:
      return {Exit::kUnreachable, where + std::strerror(error) + how};
  }
}

}  // namespace traind
