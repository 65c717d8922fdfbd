// The service on its sockets: a Unix socket (0660) and, if asked for, TCP on loopback.
//
// Made and stopped by the main thread. gRPC's own listeners are not used (accept_loop.h says why):
// ours take the callers in and gRPC serves them. Throws what listeners.h says.
#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <memory>
#include <string>

#include "daemon/accept_loop.h"
#include "daemon/config.h"
#include "daemon/listeners.h"

namespace traind {

class RpcServer {
 public:
  RpcServer(const ListenSettings& listen, grpc::Service& service);
  ~RpcServer();
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  // Health says NOT_SERVING from now on; calls are still answered.
  void begin_to_stop();
  // Waits until all calls have ended, or ends them after `patience`.
  void stop(std::chrono::milliseconds patience);

 private:
  using Acceptor = grpc::experimental::ExternalConnectionAcceptor;

  // A door whose callers `acceptor` gets.
  static Door door(std::string name, int listener, NumberRange numbers, Acceptor& acceptor);

  std::unique_ptr<UnixListener> local_;
  Descriptor tcp_;
  std::unique_ptr<Acceptor> local_acceptor_;
  std::unique_ptr<Acceptor> tcp_acceptor_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<AcceptLoop> loop_;
};

}  // namespace traind
