// A small decoder with everything that decode() may be given, on a device and in the reference.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/backend/device_case.h"
#include "tests/backend/device_rnn.h"

namespace traind {

// Parameters as rows, all drawn from fixed seeds. The decoder's case is one step of it.
struct DecodeModel {
  explicit DecodeModel(CellKind cell, int words = 9);

  static constexpr int kHidden = 7;
  static constexpr int kBatch = 5;
  static constexpr int kMemorySteps = 6;
  static constexpr std::int32_t kBegin = 1;
  static constexpr std::int32_t kEnd = 2;

  reference::RnnCase shape;
  reference::AttentionCase attention{1, kMemorySteps, kBatch, kHidden};
  reference::Row decoder;  // with the initial states
  reference::Row attend;
  reference::Row output;
  std::vector<std::int32_t> memory_lengths = {6, 2, 5, 1, 3};

  int words() const { return shape.words; }
  // In the output's row: W [V,H], then b [V].
  std::size_t weight_at(std::int32_t id) const { return static_cast<std::size_t>(id) * kHidden; }
  std::size_t bias_at(std::int32_t id) const {
    return weight_at(words()) + static_cast<std::size_t>(id);
  }
  double& bias(std::int32_t id) { return output[bias_at(id)]; }
};

// log softmax of the logits [V] that follow `begin` and `tokens` in sentence b.
reference::Row next_log_probabilities(const DecodeModel& model, bool attends, int b,
                                      const std::vector<std::int32_t>& tokens);
// Of the tokens and, where `ended`, of the end mark after them.
double log_probability_of(const DecodeModel& model, bool attends, int b, const Decoded& decoded);

// What a test asks of the model.
struct Asked {
  bool attends = false;
  int max_steps = 12;
  Search search = {};
  bool initial = true;                           // false: from the zero state
  std::vector<int> sentences = {0, 1, 2, 3, 4};  // of the model's batch, in the call's order
};

// Each device with each cell; without those that round, which may well choose another token.
std::vector<DeviceCase> decode_cases();

class DecodeOn : public OnDevice {
 protected:
  DecodeModel model_of(int words = 9) const { return DecodeModel(GetParam().cell, words); }
  std::vector<Decoded> decode(const DecodeModel& model, const Asked& asked);
};

}  // namespace traind
