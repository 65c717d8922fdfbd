// The real traind as a child process, and a client on its socket. Test thread only.
#pragma once

#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <sys/wait.h>

#include <csignal>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/descriptor.h"
#include "tests/daemon/scratch.h"
#include "traind/v1/training.grpc.pb.h"

namespace traind {

class DaemonProcess {
 public:
  explicit DaemonProcess(const Scratch& scratch) : scratch_(scratch) {}
  ~DaemonProcess() {
    if (pid_ > 0) end(SIGKILL);
  }
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;

  std::map<std::string, std::string> environment;
  std::string more_config;  // whole tables
  std::string worker_config;

  void launch() {
    write_file(scratch_ / "traind.toml", "state_folder = \"" + scratch_ / "state" +
                                             "\"\n[worker]\nprogram = \"" + TRAIND_FAKE_WORKER +
                                             "\"\nrestart_delay_seconds = 0.05\n" + worker_config +
                                             more_config);
    const std::string config = scratch_ / "traind.toml";
    pid_ = fork();
    if (pid_ == 0) {
      for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
      const Descriptor log(open((scratch_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600));
      dup2(log.get(), 2);
      execl(TRAIND_PROGRAM, "traind", "--config", config.c_str(), nullptr);
      _exit(127);
    }
  }
  // Launches and waits until it answers.
  void boot() {
    launch();
    ASSERT_TRUE(eventually([&] {
      v1::GetVersionResponse response;
      return call(&v1::TrainingService::Stub::GetVersion, v1::GetVersionRequest(), response).ok();
    })) << log();
  }
  int wait() {
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    return status;
  }
  int end(int signal) {
    kill(pid_, signal);
    return wait();
  }
  pid_t pid() const { return pid_; }
  std::string log() const { return content_of(scratch_ / "log"); }
  std::string socket() const { return scratch_ / "state/traind.sock"; }

  v1::TrainingService::Stub& stub() {
    if (!stub_) {
      grpc::ChannelArguments quick;
      quick.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
      quick.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
      stub_ = v1::TrainingService::NewStub(
          grpc::CreateCustomChannel("unix:" + socket(), grpc::InsecureChannelCredentials(), quick));
    }
    return *stub_;
  }
  template <typename Request, typename Response>
  grpc::Status call(grpc::Status (v1::TrainingService::Stub::*method)(grpc::ClientContext*,
                                                                      const Request&, Response*),
                    const Request& request, Response& response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    // A call that fails at once moves no connection on: gRPC's client then looks every 5 s only.
    context.set_wait_for_ready(true);
    return (stub().*method)(&context, request, &response);
  }

  grpc::Status start(const std::string& name, const std::string& plan, v1::StartRunResponse& out,
                     const std::string& request_id = "") {
    v1::StartRunRequest request;
    request.set_run_toml("name = \"" + name + "\"\n" + plan);
    request.set_run_path("my/run.toml");
    request.set_base_folder("/");
    request.set_request_id(request_id);
    return call(&v1::TrainingService::Stub::StartRun, request, out);
  }
  v1::GetStatusResponse status(const std::string& run = "") {
    v1::GetStatusRequest request;
    request.set_run(run);
    v1::GetStatusResponse response;
    call(&v1::TrainingService::Stub::GetStatus, request, response);
    return response;
  }
  bool comes_to(const std::string& run, v1::RunState state) {
    return eventually([&] { return status(run).run().state() == state; });
  }

 private:
  const Scratch& scratch_;
  pid_t pid_ = -1;
  std::unique_ptr<v1::TrainingService::Stub> stub_;
};

}  // namespace traind
