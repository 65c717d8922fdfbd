// The recurrent stack of every device against the double-precision reference.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "tests/backend/device_case.h"
#include "tests/backend/device_rnn.h"

namespace traind {
namespace {

using reference::Batch;
using reference::RnnCase;
using reference::Row;

const DropoutKey kKey{77, 5, 3};

struct NamedCase {
  const char* name;
  RnnCase shape;
};

std::vector<NamedCase> cases(CellKind cell) {
  std::vector<NamedCase> all;
  all.push_back({"smallest", {1, 1, 1, 1, 5, 1, 1, false, true, 0}});
  all.push_back({"from the zero state", {1, 1, 3, 4, 5, 3, 2, false, false, 0}});
  all.push_back({"stacked", {3, 1, 3, 4, 5, 4, 2, false, true, 0}});
  all.push_back({"ragged", {1, 1, 4, 3, 6, 5, 4, true, true, 0}});
  all.push_back({"bidirectional", {1, 2, 3, 3, 5, 4, 2, false, true, 0}});
  all.push_back({"bidirectional, ragged, from zero", {2, 2, 3, 3, 5, 5, 4, true, false, 0}});
  all.push_back({"with dropout", {3, 1, 3, 5, 5, 4, 3, false, true, 0.4f}});
  all.push_back({"everything at once", {3, 2, 3, 3, 5, 5, 4, true, true, 0.3f}});
  all.push_back({"without the table", {2, 2, 3, 3, 40, 4, 3, true, true, 0.3f}});
  all.push_back({"one past a vector", {2, 1, 17, 33, 9, 3, 7, true, true, 0.2f}});
  all.push_back({"several panels", {1, 2, 65, 70, 50, 2, 13, true, true, 0}});
  all.push_back({"whole vectors", {2, 1, 16, 32, 7, 3, 8, false, true, 0}});
  all.push_back({"whole vectors, both ways", {2, 2, 16, 16, 90, 3, 9, true, true, 0.2f}});
  all.push_back({"projected at each step", {2, 2, 5, 7, 200, 3, 30, true, true, 0.2f}});
  for (NamedCase& one : all) one.shape.cell = cell;
  return all;
}

struct Probes {
  Row output, h, c;
};
Probes probes_for(const RnnCase& shape) {
  return {reference::random_row(shape.output_size(), 11, 1),
          reference::random_row(shape.state_size(), 12, 1),
          reference::random_row(shape.state_size(), 13, 1)};
}

double probed(const reference::RnnResult& result, const Probes& probes) {
  double sum = 0;
  for (std::size_t i = 0; i < probes.output.size(); ++i) sum += result.output[i] * probes.output[i];
  for (std::size_t i = 0; i < probes.h.size(); ++i) {
    sum += result.last_h[i] * probes.h[i];
    if (!result.last_c.empty()) sum += result.last_c[i] * probes.c[i];
  }
  return sum;
}

class RnnOn : public OnDevice {
 protected:
  RnnCase with_cell(RnnCase shape) const {
    shape.cell = GetParam().cell;
    return shape;
  }
  // An LSTM has two.
  RnnState states(const RnnCase& shape, Tensor h, const std::function<Tensor()>& c) {
    return {h, shape.states() == 2 ? c() : Tensor{}};
  }
  RnnState put_states(const RnnCase& shape, const Probes& probes) {
    return states(shape, put(probes.h), [&] { return put(probes.c); });
  }
  struct Outcome {
    Row output, last_h, last_c, gradients;
  };
  Outcome forward_and_backward(const RnnCase& shape, const Row& parameters, const Batch& batch,
                               const Probes& probes) {
    const Tensor row = put(parameters);
    const Tensor gradient_row = zeros(parameters.size());
    RnnForward forward;
    forward.input = batch.view(shape.steps);
    forward.initial = initial_over(shape, row);
    forward.output = filled(shape.output_size(), 9);
    forward.last =
        states(shape, zeros(shape.state_size()), [&] { return zeros(shape.state_size()); });
    forward.dropout = shape.dropout;
    forward.mask = kKey;
    const RnnStack stack = stack_over(shape, row);
    const std::unique_ptr<Tape> tape = backend_->rnn_forward(stack, forward);
    Outcome outcome;
    outcome.output = get(forward.output);
    outcome.last_h = get(forward.last.h);
    if (forward.last.c) outcome.last_c = get(forward.last.c);
    RnnStack gradients = stack_over(shape, gradient_row);
    backend_->rnn_backward(stack,
                           {put(probes.output), put_states(shape, probes),
                            initial_over(shape, gradient_row), &gradients},
                           *tape);
    outcome.gradients = get(gradient_row);
    return outcome;
  }
};

TEST_P(RnnOn, ForwardEqualsTheDefinition) {
  for (const NamedCase& one : cases(GetParam().cell)) {
    SCOPED_TRACE(one.name);
    const Row parameters = reference::random_row(one.shape.size(), 1, 0.7);
    const Batch batch =
        reference::batch_of(one.shape.steps, one.shape.batch, one.shape.words, one.shape.ragged, 2);
    const auto expected = reference::rnn(one.shape, parameters, batch, kKey);
    const Outcome actual =
        forward_and_backward(one.shape, parameters, batch, probes_for(one.shape));
    expect_close(actual.output, expected.output, tolerance(), "output");
    expect_close(actual.last_h, expected.last_h, tolerance(), "last h");
    expect_close(actual.last_c, expected.last_c, tolerance(), "last c");
  }
}

// Embedding, every weight and bias, and the initial state; large cases by samples.
TEST_P(RnnOn, GradientsEqualCentralDifferences) {
  for (const NamedCase& one : cases(GetParam().cell)) {
    SCOPED_TRACE(one.name);
    const Row parameters = reference::random_row(one.shape.size(), 1, 0.7);
    const Batch batch =
        reference::batch_of(one.shape.steps, one.shape.batch, one.shape.words, one.shape.ragged, 2);
    const Probes probes = probes_for(one.shape);
    Row actual = forward_and_backward(one.shape, parameters, batch, probes).gradients;
    const std::size_t stride = parameters.size() < 1000 ? 1 : parameters.size() / 150 | 1;
    Row expected = reference::numeric_gradient(
        [&](const Row& at) { return probed(reference::rnn(one.shape, at, batch, kKey), probes); },
        parameters, stride);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (std::isnan(expected[i])) expected[i] = actual[i];
    }
    if (!one.shape.initial) {
      actual.resize(one.shape.state_offset());
      expected.resize(one.shape.state_offset());
    }
    expect_close(actual, expected, tolerance(), "gradients");
  }
}

TEST_P(RnnOn, AddsToGradientsThatAreThere) {
  const RnnCase shape = with_cell({2, 2, 3, 4, 5, 3, 2, true, true, 0});
  const Row parameters = reference::random_row(shape.size(), 1, 0.7);
  const Batch batch = reference::batch_of(shape.steps, shape.batch, shape.words, true, 2);
  const Probes probes = probes_for(shape);
  const Row once = forward_and_backward(shape, parameters, batch, probes).gradients;
  const Tensor row = put(parameters);
  const Tensor gradient_row = filled(parameters.size(), 2);
  RnnForward forward;
  forward.input = batch.view(shape.steps);
  forward.initial = initial_over(shape, row);
  forward.output = zeros(shape.output_size());
  const RnnStack stack = stack_over(shape, row);
  const std::unique_ptr<Tape> tape = backend_->rnn_forward(stack, forward);
  RnnStack gradients = stack_over(shape, gradient_row);
  backend_->rnn_backward(stack, {put(probes.output), put_states(shape, probes), {}, &gradients},
                         *tape);
  const Row twice = get(gradient_row);
  for (std::size_t i = 0; i < shape.state_offset(); ++i) {
    ASSERT_NEAR(twice[i], once[i] + 2, 1e-5 * (1 + std::fabs(once[i]))) << i;
  }
}

TEST_P(RnnOn, WhatLiesInThePaddingChangesNothing) {
  const RnnCase shape = with_cell({2, 2, 3, 5, 4, 6, 5, true, true, 0.3f});
  const Row parameters = reference::random_row(shape.size(), 1, 0.7);
  const Batch clean = reference::batch_of(shape.steps, shape.batch, shape.words, true, 2);
  Batch dirty = clean;
  const Probes clean_probes = probes_for(shape);
  Probes dirty_probes = clean_probes;
  for (int t = 0; t < shape.steps; ++t) {
    for (int b = 0; b < shape.batch; ++b) {
      if (t < clean.lengths[b]) continue;
      const std::size_t place = static_cast<std::size_t>(t) * shape.batch + b;
      dirty.ids[place] = (dirty.ids[place] + 1) % shape.words;
      for (int j = 0; j < shape.memory(); ++j) {
        dirty_probes.output[place * shape.memory() + j] = std::numeric_limits<double>::quiet_NaN();
      }
    }
  }
  const Outcome a = forward_and_backward(shape, parameters, clean, clean_probes);
  const Outcome b = forward_and_backward(shape, parameters, dirty, dirty_probes);
  EXPECT_EQ(a.output, b.output);
  EXPECT_EQ(a.last_h, b.last_h);
  EXPECT_EQ(a.last_c, b.last_c);
  EXPECT_EQ(a.gradients, b.gradients);
  for (int t = 0; t < shape.steps; ++t) {
    for (int s = 0; s < shape.batch; ++s) {
      if (t < clean.lengths[s]) continue;
      for (int j = 0; j < shape.memory(); ++j) {
        EXPECT_EQ(a.output[(static_cast<std::size_t>(t) * shape.batch + s) * shape.memory() + j],
                  0);
      }
    }
  }
}

TEST_P(RnnOn, EvaluationDropsNothingAndKeepsNoTape) {
  const RnnCase shape = with_cell({4, 2, 3, 5, 5, 4, 3, true, true, 0});
  const Row parameters = reference::random_row(shape.size(), 1, 0.7);
  const Batch batch = reference::batch_of(shape.steps, shape.batch, shape.words, true, 2);
  const Tensor row = put(parameters);
  RnnForward forward;
  forward.input = batch.view(shape.steps);
  forward.initial = initial_over(shape, row);
  forward.output = zeros(shape.output_size());
  forward.dropout = 0.5f;
  forward.training = false;
  EXPECT_EQ(backend_->rnn_forward(stack_over(shape, row), forward), nullptr);
  expect_close(get(forward.output), reference::rnn(shape, parameters, batch, kKey).output,
               tolerance(), "output");
}

TEST_P(RnnOn, WeightsWrittenAnewAreUsed) {
  const RnnCase shape = with_cell({1, 1, 3, 4, 5, 3, 2, false, true, 0});
  const Batch batch = reference::batch_of(shape.steps, shape.batch, shape.words, false, 2);
  const Tensor row = zeros(shape.size());
  for (const std::uint64_t seed : {1, 2}) {
    const Row parameters = reference::random_row(shape.size(), seed, 0.7);
    backend_->write(row, std::vector<float>(parameters.begin(), parameters.end()));
    RnnForward forward;
    forward.input = batch.view(shape.steps);
    forward.initial = initial_over(shape, row);
    forward.output = zeros(shape.output_size());
    const auto tape = backend_->rnn_forward(stack_over(shape, row), forward);
    expect_close(get(forward.output), reference::rnn(shape, parameters, batch, kKey).output,
                 tolerance(), "output");
  }
}

TEST_P(RnnOn, WeightsThatAnUpdateChangedAreUsed) {
  const RnnCase shape = with_cell({1, 1, 3, 4, 5, 3, 2, false, true, 0});
  const Batch batch = reference::batch_of(shape.steps, shape.batch, shape.words, false, 2);
  const Tensor row = put(reference::random_row(shape.size(), 1, 0.7));
  RnnForward forward;
  forward.input = batch.view(shape.steps);
  forward.initial = initial_over(shape, row);
  forward.output = zeros(shape.output_size());
  backend_->rnn_forward(stack_over(shape, row), forward);
  UpdateStep update;
  update.parameters = row;
  update.gradients = filled(shape.size(), 1);
  update.first_moment = zeros(shape.size());
  update.second_moment = zeros(shape.size());
  update.rate = 0.5f;
  backend_->update(update);
  backend_->rnn_forward(stack_over(shape, row), forward);
  expect_close(get(forward.output), reference::rnn(shape, get(row), batch, kKey).output,
               tolerance(), "output");
}

// A buffer of the size usually lies where the last one was.
TEST_P(RnnOn, WeightsOfAFreedBufferAreForgotten) {
  const RnnCase shape = with_cell({1, 1, 3, 4, 5, 3, 2, false, false, 0});
  const Batch batch = reference::batch_of(shape.steps, shape.batch, shape.words, false, 2);
  RnnForward forward;
  forward.input = batch.view(shape.steps);
  forward.output = zeros(shape.output_size());
  for (int i = 0; i < 3; ++i) {
    const std::unique_ptr<Buffer> row = backend_->allocate(shape.size());
    const Tensor embedding = stack_over(shape, row->tensor()).embedding;
    backend_->write(embedding, std::vector<float>(embedding.size, 1));
    backend_->rnn_forward(stack_over(shape, row->tensor()), forward);
    EXPECT_EQ(get(forward.output), Row(shape.output_size(), 0)) << "weights are zero";
    backend_->write(row->tensor(), std::vector<float>(shape.size(), 1));
    backend_->rnn_forward(stack_over(shape, row->tensor()), forward);
    EXPECT_GT(get(forward.output)[0], 1e-3);
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, RnnOn, testing::ValuesIn(device_and_cell_cases()), name_of_case);

}  // namespace
}  // namespace traind
