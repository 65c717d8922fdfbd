#include "tests/backend/decode_case.h"

#include <algorithm>
#include <cmath>

namespace traind {
namespace {

using reference::Row;

// Columns of the sentences asked for, out of [steps,B,width].
Row columns_of(const double* from, int steps, int width, const std::vector<int>& sentences) {
  Row to;
  for (int t = 0; t < steps; ++t) {
    for (const int b : sentences) {
      const double* const row =
          from + (static_cast<std::ptrdiff_t>(t) * DecodeModel::kBatch + b) * width;
      to.insert(to.end(), row, row + width);
    }
  }
  return to;
}

}  // namespace

DecodeModel::DecodeModel(CellKind cell, int words)
    : shape{2, 1, 4, kHidden, words, 1, kBatch, false, true, 0, cell},
      decoder(reference::random_row(shape.size(), 1, 1.2)),
      attend(reference::random_row(attention.size(), 2, 0.8)),
      output(reference::random_row(static_cast<std::size_t>(kHidden + 1) * words, 3, 1.5)) {}

Row next_log_probabilities(const DecodeModel& model, bool attends, int b,
                           const std::vector<std::int32_t>& tokens) {
  constexpr int kBatch = DecodeModel::kBatch;
  constexpr int kHidden = DecodeModel::kHidden;
  reference::RnnCase shape = model.shape;
  shape.steps = static_cast<int>(tokens.size()) + 1;
  reference::Batch batch{std::vector<std::int32_t>(kBatch, DecodeModel::kBegin),
                         std::vector<std::int32_t>(kBatch, shape.steps)};
  for (const std::int32_t id : tokens) batch.ids.insert(batch.ids.end(), kBatch, id);
  const Row all = reference::rnn(shape, model.decoder, batch, {}).output;
  constexpr std::ptrdiff_t kStep = std::ptrdiff_t{kBatch} * kHidden;
  Row hidden(all.end() - kStep, all.end());  // of the last step
  if (attends) {
    Row parameters = model.attend;
    std::copy(hidden.begin(), hidden.end(),
              parameters.begin() + static_cast<long>(model.attention.query_offset()));
    hidden = reference::attention(model.attention, parameters, model.memory_lengths,
                                  std::vector<std::int32_t>(kBatch, 1));
  }
  Row logits;
  double whole = 0;
  const std::size_t at = static_cast<std::size_t>(b) * kHidden;
  for (std::int32_t id = 0; id < model.words(); ++id) {
    double sum = model.output[model.bias_at(id)];
    for (std::size_t j = 0; j < kHidden; ++j) {
      sum += model.output[model.weight_at(id) + j] * hidden[at + j];
    }
    logits.push_back(sum);
    whole += std::exp(sum);
  }
  for (double& logit : logits) logit -= std::log(whole);
  return logits;
}

double log_probability_of(const DecodeModel& model, bool attends, int b, const Decoded& decoded) {
  double sum = 0;
  std::vector<std::int32_t> before;
  for (const std::int32_t id : decoded.ids) {
    sum += next_log_probabilities(model, attends, b, before)[static_cast<std::size_t>(id)];
    before.push_back(id);
  }
  if (!decoded.ended) return sum;
  return sum + next_log_probabilities(model, attends, b, before)[DecodeModel::kEnd];
}

std::vector<DeviceCase> decode_cases() {
  std::vector<DeviceCase> devices = device_and_cell_cases();
  std::erase_if(devices, [](const DeviceCase& device) { return device.tolerance > 1e-3; });
  return devices;
}

std::vector<Decoded> DecodeOn::decode(const DecodeModel& model, const Asked& asked) {
  constexpr int kHidden = DecodeModel::kHidden;
  const int words = model.words();
  const std::size_t batch = asked.sentences.size();
  const double* const state = model.decoder.data() + model.shape.state_offset();
  const double* const memory = model.attend.data() + model.attention.memory_offset();
  const Tensor output = put(model.output);
  const Tensor attend = put(model.attend);
  const RnnStack stack = stack_over(model.shape, put(model.decoder));
  const AttentionWeights weights{attend.part(0, 49), attend.part(49, 98)};
  const std::vector<std::int32_t> begin(batch, DecodeModel::kBegin);
  std::vector<std::int32_t> lengths;
  DecodeCall call;
  call.decoder = &stack;
  if (asked.initial) {
    call.initial.h = put(columns_of(state, model.shape.layers, kHidden, asked.sentences));
    if (model.shape.states() == 2) {
      const double* const c = state + model.shape.state_size();
      call.initial.c = put(columns_of(c, model.shape.layers, kHidden, asked.sentences));
    }
  }
  if (asked.attends) {
    for (const int b : asked.sentences) {
      lengths.push_back(model.memory_lengths[static_cast<std::size_t>(b)]);
    }
    call.attention = &weights;
    call.memory = put(columns_of(memory, DecodeModel::kMemorySteps, kHidden, asked.sentences));
    call.memory_lengths = lengths;
    call.memory_steps = DecodeModel::kMemorySteps;
  }
  call.output = {output.part(0, model.weight_at(words)),
                 output.part(model.bias_at(0), static_cast<std::size_t>(words))};
  call.begin = begin;
  call.end = DecodeModel::kEnd;
  call.max_steps = asked.max_steps;
  call.search = asked.search;
  return backend_->decode(call);
}

}  // namespace traind
