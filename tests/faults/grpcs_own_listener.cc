// The service as it would be on gRPC's own listener: what the test of the floods must find wanting.
//
// usage: grpcs_own_listener PORT. Says the version of gRPC when it listens on loopback; answers
// GetVersion and nothing else.
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <string>

#include "traind/v1/training.grpc.pb.h"

namespace {

class Service final : public traind::v1::TrainingService::CallbackService {
  grpc::ServerUnaryReactor* GetVersion(grpc::CallbackServerContext* context,
                                       const traind::v1::GetVersionRequest*,
                                       traind::v1::GetVersionResponse*) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 64;
  Service service;
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 5'000);
  builder.AddListeningPort("127.0.0.1:" + std::string(arguments[1]),
                           grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  if (!server) return 74;
  std::printf("%s\n", grpc::Version().c_str());
  std::fflush(stdout);
  server->Wait();
}
