// What the daemon's tests share: a folder that goes away, conditions that are waited for, and a
// configuration with a worker that follows a plan.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>

#include "daemon/config.h"

namespace traind {

class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "traind-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Looks until `condition` holds; false after a deadline that only a broken program reaches.
inline bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

inline std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_file(const std::string& path, const std::string& content) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

// Quick in everything that is slow on purpose.
inline DaemonConfig quick_config(const Scratch& scratch) {
  DaemonConfig config;
  config.state_folder = scratch.path();
  config.listen.socket = scratch / "traind.sock";
  config.mail.folder = scratch / "mail";
  config.mail.to = {"owner@localhost"};
  config.mail.identity = {"traind@localhost", "traind on localhost", "localhost"};
  config.worker.program = TRAIND_FAKE_WORKER;
  config.worker.restart_delay = std::chrono::milliseconds(10);
  config.worker.longest_restart_delay = std::chrono::milliseconds(20);
  config.worker.max_restarts = 3;
  config.worker.stall_timeout = std::chrono::seconds(60);
  config.worker.stop_timeout = std::chrono::seconds(20);
  return config;
}

}  // namespace traind
