// Where the files of one run lie. Values; safe on any thread. docs/worker.md describes the layout.
#pragma once

#include <string>

namespace traind {

struct RunFolder {
  std::string path;
  std::string run_file() const { return path + "/run.toml"; }
  std::string checkpoints() const { return path + "/checkpoints"; }
  std::string cache() const { return path + "/cache"; }
  std::string lock_file() const { return path + "/worker.lock"; }
};

}  // namespace traind
