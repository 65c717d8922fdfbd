// Where the files of one run lie. Values; safe on any thread. docs/worker.md describes the layout.
#pragma once

#include <string>

namespace traind {

struct RunFolder {
  std::string path;
  std::string run_file() const { return path + "/run.toml"; }
  std::string checkpoints() const { return path + "/checkpoints"; }
  std::string cache() const { return path + "/cache"; }
  // The checkpoint whose weights the run begins with; not there = it begins with drawn ones.
  std::string initial() const { return path + "/initial.safetensors"; }
  std::string lock_file() const { return path + "/worker.lock"; }
};

}  // namespace traind
