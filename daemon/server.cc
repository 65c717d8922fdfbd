#include "daemon/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <utility>
#include <vector>

#include "model/base/error.h"

namespace traind {
namespace {

constexpr const char* kServiceName = "traind.v1.TrainingService";
constexpr int kLargestRequest = 4 << 20;
constexpr int kMostMetadata = 16 << 10;
constexpr int kMostCallsPerConnection = 128;
constexpr int kMostReadAtOnce = 64 << 10;
// Of what gRPC counts, and of all that is in use beyond what there was at the start.
constexpr std::size_t kQuota = std::size_t{96} << 20;
constexpr std::size_t kMoreMemory = std::size_t{112} << 20;

void set_limits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kLargestRequest);
  builder.SetResourceQuota(grpc::ResourceQuota("traind").Resize(kQuota));
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, int>>{
           {GRPC_ARG_MAX_CONCURRENT_STREAMS, kMostCallsPerConnection},
           {GRPC_ARG_MAX_METADATA_SIZE, kMostMetadata},
           {GRPC_ARG_KEEPALIVE_TIME_MS, 60'000},
           {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000},
           {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
           {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000},
           {GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, kMostReadAtOnce},
           // Who connects has to speak HTTP/2 soon, and to ask something now and then.
           {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 5'000},
           {GRPC_ARG_MAX_CONNECTION_IDLE_MS, 120'000}}) {
    builder.AddChannelArgument(name, value);
  }
}

// Out of line, so that tests/thread_sanitizer.supp has a name for it.
[[gnu::noinline]] void delete_grpc_server(std::unique_ptr<grpc::Server> server) { server.reset(); }

}  // namespace

RpcServer::RpcServer(const ListenSettings& listen, grpc::Service& service)
    : local_(std::make_unique<UnixListener>(listen.socket, listen.socket_group)) {
  if (!listen.tcp.empty()) tcp_ = listen_on_tcp(listen.tcp);
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  set_limits(builder);
  const auto acceptor = [&] {
    return builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD,
        grpc::InsecureServerCredentials());
  };
  const DescriptorPlan plan = plan_descriptors(raise_descriptor_limit());
  local_acceptor_ = acceptor();
  if (tcp_.open()) tcp_acceptor_ = acceptor();
  builder.RegisterService(&service);
  server_ = builder.BuildAndStart();
  if (!server_) throw Error(ErrorKind::kInternal, "gRPC refuses to start");
  std::vector<Door> doors = {door(listen.socket, local_->get(), plan.local, *local_acceptor_)};
  if (tcp_.open()) doors.push_back(door(listen.tcp, tcp_.get(), plan.tcp, *tcp_acceptor_));
  loop_ = std::make_unique<AcceptLoop>(std::move(doors), kMoreMemory);
  server_->GetHealthCheckService()->SetServingStatus(kServiceName, true);
}

Door RpcServer::door(std::string name, int listener, NumberRange numbers, Acceptor& acceptor) {
  return {std::move(name), listener, numbers, [&acceptor](int connection) {
            Acceptor::NewConnectionParameters caller;
            caller.listener_fd = -1;
            caller.fd = connection;
            acceptor.HandleNewConnection(&caller);
          }};
}

RpcServer::~RpcServer() { stop(std::chrono::milliseconds(0)); }

void RpcServer::begin_to_stop() {
  if (server_) server_->GetHealthCheckService()->SetServingStatus(false);
}

void RpcServer::stop(std::chrono::milliseconds patience) {
  if (!server_) return;
  loop_.reset();
  local_.reset();
  tcp_.close();
  server_->GetHealthCheckService()->Shutdown();
  server_->Shutdown(std::chrono::system_clock::now() + patience);
  server_->Wait();
  delete_grpc_server(std::move(server_));
}

}  // namespace traind
