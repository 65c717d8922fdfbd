// The service on its sockets: a Unix socket (0660) and, if asked for, TCP on loopback.
//
// Made and stopped by the main thread, before other threads create files: the socket's mode comes
// from the process' umask for a moment. Throws Error(kState) when another daemon answers on the
// socket, Error(kIo) and Error(kConfig) when a socket cannot be had.
#pragma once

#include <grpcpp/server.h>

#include <chrono>
#include <memory>
#include <string>

#include "daemon/config.h"

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
  const std::string socket_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace traind
