#include "daemon/server.h"

#include <grp.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "daemon/descriptor.h"
#include "model/base/files.h"

namespace traind {
namespace {

constexpr const char* kServiceName = "traind.v1.TrainingService";
constexpr int kLargestRequest = 4 << 20;
constexpr int kMostMetadata = 16 << 10;
constexpr int kMostCallsPerConnection = 64;
constexpr std::size_t kMostMemory = std::size_t{256} << 20;

bool somebody_answers(const std::string& path) {
  const Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// gRPC takes over whatever socket lies at the path, also one that is in use.
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

void set_limits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kLargestRequest);
  builder.SetResourceQuota(grpc::ResourceQuota("traind").Resize(kMostMemory));
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, int>>{
           {GRPC_ARG_MAX_CONCURRENT_STREAMS, kMostCallsPerConnection},
           {GRPC_ARG_MAX_METADATA_SIZE, kMostMetadata},
           {GRPC_ARG_KEEPALIVE_TIME_MS, 60'000},
           {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000},
           {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
           {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000},
           {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 5'000},
           {GRPC_ARG_ALLOW_REUSEPORT, 0}}) {
    builder.AddChannelArgument(name, value);
  }
}

// For the time of one block.
class Umask {
 public:
  explicit Umask(mode_t mask) : before_(umask(mask)) {}
  ~Umask() { umask(before_); }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  const mode_t before_;
};

}  // namespace

RpcServer::RpcServer(const ListenSettings& listen, grpc::Service& service)
    : socket_(listen.socket) {
  make_room(socket_);
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  set_limits(builder);
  int tcp_port = -1;
  builder.AddListeningPort("unix:" + socket_, grpc::InsecureServerCredentials());
  if (!listen.tcp.empty()) {
    builder.AddListeningPort(listen.tcp, grpc::InsecureServerCredentials(), &tcp_port);
  }
  builder.RegisterService(&service);
  {
    const Umask only_owner_and_group(0117);
    server_ = builder.BuildAndStart();
  }
  if (!server_) {
    throw Error(ErrorKind::kIo, "cannot listen on " + socket_ +
                                    (listen.tcp.empty() ? "" : " and " + listen.tcp) +
                                    ": is the port in use, or the folder not writable?");
  }
  give_to_group(socket_, listen.socket_group);
  server_->GetHealthCheckService()->SetServingStatus(kServiceName, true);
}

RpcServer::~RpcServer() { stop(std::chrono::milliseconds(0)); }

void RpcServer::begin_to_stop() {
  if (server_) server_->GetHealthCheckService()->SetServingStatus(false);
}

void RpcServer::stop(std::chrono::milliseconds patience) {
  if (!server_) return;
  server_->GetHealthCheckService()->Shutdown();
  server_->Shutdown(std::chrono::system_clock::now() + patience);
  server_->Wait();
  server_.reset();
}

}  // namespace traind
