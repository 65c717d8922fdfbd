// What the daemon itself reads in a run's run file, and the few values of it that a resume may
// change. Values and pure functions; safe on any thread.
#pragma once

#include <optional>
#include <string>

#include "daemon/run_rows.h"
#include "model/train/run_file.h"

namespace traind {

// What somebody wants to be different when a run goes on.
struct WantedSettings {
  std::optional<double> learning_rate = {};
  std::optional<int> epochs = {};      // in all
  std::optional<int> batch_size = {};  // takes the place of batch_tokens, too
  bool any() const { return learning_rate || epochs || batch_size; }
};

// The run file as values; the name alone when its text is of another version of traind.
RunFile run_file_of(const RunRow& run);

// `text`, a run file, with what is wanted in it. Throws Error(kConfig) with a sentence when such a
// value cannot be.
RunFile with_settings(const std::string& text, const WantedSettings& wanted);

// "all 10 epochs", "early stop: no better loss for 3 epochs": why a run is completed.
std::string end_words(EndReason reason, const RunRow& run);

}  // namespace traind
