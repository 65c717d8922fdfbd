// How long `status` takes over the Unix socket of a real daemon: idle in a closed loop, and at
// 20 calls a second while a run trains on all cores. Figures as JSON to stdout.
//
// usage: status_latency [--quick]. The programs are those of the same build; the state lies in a
// temporary folder that is removed.
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "traind/v1/training.grpc.pb.h"

namespace {

using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr std::chrono::seconds kPatience{60};

// A daemon with a state folder of its own, ended with the object.
class Daemon {
 public:
  Daemon(const std::string& program, const std::string& worker)
      : folder_(fs::temp_directory_path() / ("traind-latency-" + std::to_string(getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    std::ofstream(folder_ / "traind.toml")
        << "[mail]\ntransport = \"none\"\n[worker]\nprogram = \"" << worker << "\"\n[log]\n"
        << "level = \"warning\"\n";
    child_ = fork();
    if (child_ == 0) {
      const std::string config = folder_ / "traind.toml";
      const std::string state = folder_ / "state";
      execl(program.c_str(), program.c_str(), "--config", config.c_str(), "--state", state.c_str(),
            nullptr);
      _exit(127);
    }
  }
  ~Daemon() {
    kill(child_, SIGTERM);
    waitpid(child_, nullptr, 0);
    fs::remove_all(folder_);
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  const fs::path& folder() const { return folder_; }
  std::string address() const { return "unix:" + (folder_ / "state/traind.sock").string(); }

 private:
  fs::path folder_;
  pid_t child_ = -1;
};

using Stub = traind::v1::TrainingService::Stub;

traind::v1::GetStatusResponse status(Stub& stub) {
  grpc::ClientContext context;
  traind::v1::GetStatusResponse response;
  const grpc::Status result = stub.GetStatus(&context, {}, &response);
  if (!result.ok()) throw std::runtime_error("GetStatus: " + result.error_message());
  return response;
}

std::string start_run(Stub& stub, const Daemon& daemon, int hidden, int batch) {
  std::ofstream corpus(daemon.folder() / "pairs.tsv");
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = std::to_string(1'000'000'007LL * (i + 1)) + "abcdefghijklmnop";
    corpus << text << '\t' << std::string(text.rbegin(), text.rend()) << '\n';
  }
  corpus.close();
  grpc::ClientContext context;
  traind::v1::StartRunRequest request;
  request.set_base_folder(daemon.folder());
  request.set_run_path("run.toml");
  request.set_name("latency");
  request.set_run_toml("[data]\ntrain = \"pairs.tsv\"\nvalid_limit = 64\n[model]\nhidden = " +
                       std::to_string(hidden) + "\n[train]\nepochs = 1000\nbatch_size = " +
                       std::to_string(batch) + "\n[report]\nevery_batches = 10\n");
  traind::v1::StartRunResponse response;
  const grpc::Status result = stub.StartRun(&context, request, &response);
  if (!result.ok()) throw std::runtime_error("StartRun: " + result.error_message());
  return response.run().id();
}

void wait_for_steps(Stub& stub) {
  const Clock::time_point deadline = Clock::now() + kPatience;
  while (status(stub).run().step() < 3) {
    if (Clock::now() > deadline) throw std::runtime_error("the run takes no steps");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

// Microseconds of each call, sorted.
std::vector<double> measure(Stub& stub, int calls, std::chrono::milliseconds between) {
  std::vector<double> micros;
  for (int i = 0; i < calls; ++i) {
    const Clock::time_point begin = Clock::now();
    status(stub);
    micros.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    std::this_thread::sleep_for(between);
  }
  std::sort(micros.begin(), micros.end());
  return micros;
}

void print(const char* name, const std::vector<double>& micros) {
  const auto at = [&](double share) {
    return micros[static_cast<std::size_t>(share * static_cast<double>(micros.size() - 1))];
  };
  std::printf("  \"%s\": {\"calls\": %zu, \"p50_us\": %.0f, \"p90_us\": %.0f, \"p99_us\": %.0f}",
              name, micros.size(), at(0.5), at(0.9), at(0.99));
}

int run(const std::string& program, const std::string& worker, bool quick) {
  const Daemon daemon(program, worker);
  const auto channel = grpc::CreateChannel(daemon.address(), grpc::InsecureChannelCredentials());
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + kPatience)) {
    throw std::runtime_error("the daemon does not answer");
  }
  const auto stub = traind::v1::TrainingService::NewStub(channel);
  const std::string id = start_run(*stub, daemon, quick ? 32 : 512, quick ? 16 : 128);
  wait_for_steps(*stub);
  const auto training = measure(*stub, quick ? 20 : 400, std::chrono::milliseconds(50));
  grpc::ClientContext context;
  traind::v1::StopRunRequest stop;
  traind::v1::StopRunResponse stopped;
  stop.set_run(id);
  stub->StopRun(&context, stop, &stopped);
  const Clock::time_point deadline = Clock::now() + kPatience;
  while (status(*stub).run().state() != traind::v1::RUN_STATE_STOPPED) {
    if (Clock::now() > deadline) throw std::runtime_error("the run does not stop");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const auto idle = measure(*stub, quick ? 200 : 20'000, std::chrono::milliseconds(0));
  std::printf("{\"bench\": \"status_latency\",\n");
  print("idle_closed_loop", idle);
  std::printf(",\n");
  print("training_20_per_second", training);
  std::printf("\n}\n");
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run(TRAIND_PROGRAM, TRAIND_WORKER_PROGRAM,
               count > 1 && std::strcmp(arguments[1], "--quick") == 0);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "status_latency: %s\n", error.what());
    return 1;
  }
}
