// A run's events as lines for a person at a terminal.
//
// Trainer's thread only. Progress redraws one line on a terminal and is left out elsewhere.
#pragma once

#include <string>

#include "model/train/control.h"
#include "model/train/events.h"

namespace traind {

class ConsoleSink final : public EventSink {
 public:
  // Everything printed counts as stored.
  explicit ConsoleSink(TrainerControl& control);
  ~ConsoleSink() override;
  void on_event(const Event& event) noexcept override;

 private:
  void print(const RunStarted& event);
  void print(const Progress& event);
  void print(const MetricRow& event);
  void print(const EpochDone& event);
  void print(const Scores& scores);
  void print(const CheckpointSaved& event);
  void print(const CheckpointPruned& event);
  void print(const CheckpointLoading& event);
  void print(const SettingChanged& event);
  void print(const Notice& event);
  void print(const RunEnded& event);
  void print(const RunFailed& event);
  void clear_progress();

  TrainerControl& control_;
  const bool terminal_;
  std::string resumed_from_;
  bool progress_shown_ = false;
};

}  // namespace traind
