// Whose weights a new run begins with: another run's checkpoint, found by what people call it, and
// kept in the new run's folder whatever becomes of the other run.
//
// Functions; safe on any thread. They wait for the database and the disk.
#pragma once

#include <string>
#include <vector>

#include "daemon/config.h"
#include "daemon/store.h"

namespace traind {

struct InitialWeights {
  std::string name;  // "spelling@checkpoint-000000001125.safetensors"
  std::string path;
};

// What `wanted`, RUN or RUN@CHECKPOINT, can mean, best first: CHECKPOINT is a file's name, a step,
// "best" or "newest" (also when left out). Only "newest" has more than one answer: the next older
// one stands in for one that is damaged. Throws Error(kNotFound) when there is none, kConfig when
// `wanted` names no run.
std::vector<InitialWeights> weights_meant(const DaemonConfig& config, const Store& store,
                                          const std::string& wanted);

// The file in a run's folder that holds them.
std::string initial_weights_path(const std::string& run_folder);

// Puts them there, durably: a second name of the same file, or a copy where that cannot be. False
// when the file is gone (its run went on and pruned it). Throws Error(kIo | kNoSpace).
bool take_weights(const InitialWeights& weights, const std::string& run_folder);

}  // namespace traind
