// What the updates amounted to: their results as the device gives them, one update late, summed up
// for the metric row and the epoch.
//
// Trainer's thread only. The model, the state and the pace must outlive it.
#pragma once

#include <cstdint>
#include <optional>

#include "model/nn/sequence_model.h"
#include "model/train/events.h"
#include "model/train/pace.h"
#include "model/train/train_state.h"

namespace traind {

class StepLedger {
 public:
  StepLedger(SequenceModel& model, TrainState& state, Pace& pace)
      : model_(model), state_(state), pace_(pace) {}

  // The update that state.step counts was asked for, of so many examples and tokens. Reads the
  // result of the one before it meanwhile, so that the device never waits for us. Throws
  // Error(kDiverged) when that was not finite.
  void taken(std::int64_t examples, std::int64_t tokens);
  // Waits for the newest result; nothing may be told, saved or ended before it is counted. Throws
  // likewise.
  void settle();

  double last_loss() const { return last_loss_; }  // of the newest result, nats a token
  // That loss scaling left updates out in the epoch, if it did. Begins to count anew.
  std::optional<Notice> take_skipped(int epoch);

 private:
  struct Unsettled {
    std::int64_t step = 0;  // its number, from 1
    std::int64_t examples = 0;
    std::int64_t tokens = 0;
  };
  void count(const Unsettled& step, const StepResult& result);

  SequenceModel& model_;
  TrainState& state_;
  Pace& pace_;
  std::optional<Unsettled> unsettled_;  // the newest update, as long as its result is not read
  double last_loss_ = 0;
  std::int64_t skipped_ = 0;  // by loss scaling, in this epoch, by this worker
  float loss_scale_ = 0;
};

}  // namespace traind
