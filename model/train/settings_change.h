// Resuming with another run file than the one a run began with: what may differ, by name, and what
// it was.
//
// Pure functions; safe on any thread.
#pragma once

#include <string>
#include <vector>

#include "model/train/events.h"
#include "model/train/run_file.h"
#include "model/train/train_state.h"

namespace traind {

// Which settings someone asked to change; all others must be what they were.
struct Changes {
  bool learning_rate = false;  // from the next update on
  bool epochs = false;
  bool batch_size = false;  // and batch_tokens: from the next epoch on, if one is under way
};

// What is different between the run file and the settings a checkpoint was made with, for
// RunStarted's listeners. Throws Error(kConfig) with every difference that is not allowed, and for
// fewer epochs than have begun.
std::vector<SettingChanged> accepted_changes(const std::vector<std::string>& settings,
                                             const TrainState& state, const RunFile& run,
                                             const Changes& allowed);

// The value of "section.key" in a checkpoint's settings, as TOML; empty when it is not set there.
std::string setting_of(const std::vector<std::string>& settings, const std::string& key);

// "\n  train.learning_rate: was 0.001, is 0.01" for every setting that begins with `prefix` and is
// not what it was.
std::string settings_difference(const std::vector<std::string>& was,
                                const std::vector<std::string>& is, const std::string& prefix = "");

}  // namespace traind
