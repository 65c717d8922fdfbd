// Attention of every device against the double-precision reference.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/backend/device_case.h"
#include "tests/backend/reference.h"

namespace traind {
namespace {

using reference::AttentionCase;
using reference::Row;

struct NamedCase {
  const char* name;
  AttentionCase shape;
  bool ragged;
};
const NamedCase kCases[] = {{"smallest", {1, 1, 1, 1}, false},
                            {"full", {3, 4, 2, 5}, false},
                            {"ragged", {4, 6, 5, 3}, true},
                            {"one past a vector", {5, 17, 3, 33}, true},
                            {"several panels", {3, 70, 2, 65}, true}};

class AttentionOn : public OnDevice {
 protected:
  struct Outcome {
    Row output, gradients;
  };
  Outcome forward_and_backward(const AttentionCase& shape, const Row& parameters,
                               const std::vector<std::int32_t>& lengths,
                               const std::vector<std::int32_t>& query_lengths, const Row& probe) {
    const std::size_t m2 = static_cast<std::size_t>(shape.width) * shape.width;
    const Tensor row = put(parameters);
    const Tensor gradient_row = zeros(parameters.size());
    backend_->write(gradient_row.part(shape.query_offset(), shape.query_size()),
                    std::vector<float>(shape.query_size(), 9));
    backend_->write(gradient_row.part(shape.memory_offset(), shape.memory_size()),
                    std::vector<float>(shape.memory_size(), 9));
    const AttentionWeights weights{row.part(0, m2), row.part(m2, 2 * m2)};
    AttentionForward forward;
    forward.query = row.part(shape.query_offset(), shape.query_size());
    forward.memory = row.part(shape.memory_offset(), shape.memory_size());
    forward.lengths = lengths;
    forward.query_lengths = query_lengths;
    forward.query_steps = shape.steps;
    forward.memory_steps = shape.memory_steps;
    forward.width = shape.width;
    forward.output = filled(shape.query_size(), 9);
    const std::unique_ptr<Tape> tape = backend_->attention_forward(weights, forward);
    Outcome outcome{get(forward.output), {}};
    AttentionWeights gradients{gradient_row.part(0, m2), gradient_row.part(m2, 2 * m2)};
    backend_->attention_backward(
        weights,
        {put(probe), gradient_row.part(shape.query_offset(), shape.query_size()),
         gradient_row.part(shape.memory_offset(), shape.memory_size()), &gradients},
        *tape);
    outcome.gradients = get(gradient_row);
    return outcome;
  }
};

TEST_P(AttentionOn, OutputAndGradientsEqualTheDefinition) {
  for (const NamedCase& one : kCases) {
    SCOPED_TRACE(one.name);
    const AttentionCase& shape = one.shape;
    const Row parameters = reference::random_row(shape.size(), 1, 0.5);
    const auto sources = reference::batch_of(shape.memory_steps, shape.batch, 2, one.ragged, 3);
    const auto targets = reference::batch_of(shape.steps, shape.batch, 2, one.ragged, 4);
    const Row probe = reference::random_row(shape.query_size(), 5, 1);
    const Outcome actual =
        forward_and_backward(shape, parameters, sources.lengths, targets.lengths, probe);
    expect_close(actual.output,
                 reference::attention(shape, parameters, sources.lengths, targets.lengths),
                 tolerance(), "output");
    const auto probed = [&](const Row& at) {
      const Row output = reference::attention(shape, at, sources.lengths, targets.lengths);
      double sum = 0;
      for (std::size_t i = 0; i < output.size(); ++i) sum += output[i] * probe[i];
      return sum;
    };
    const std::size_t stride = parameters.size() < 1000 ? 1 : parameters.size() / 150 | 1;
    Row expected = reference::numeric_gradient(probed, parameters, stride);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      if (std::isnan(expected[i])) expected[i] = actual.gradients[i];
    }
    expect_close(actual.gradients, expected, tolerance(), "gradients");
  }
}

TEST_P(AttentionOn, WhatLiesInThePaddingChangesNothing) {
  const AttentionCase shape{4, 6, 5, 3};
  const Row clean = reference::random_row(shape.size(), 1, 0.5);
  const auto sources = reference::batch_of(shape.memory_steps, shape.batch, 2, true, 3);
  const auto targets = reference::batch_of(shape.steps, shape.batch, 2, true, 4);
  const Row clean_probe = reference::random_row(shape.query_size(), 5, 1);
  Row dirty = clean;
  Row dirty_probe = clean_probe;
  const auto spoil = [&](Row& row, std::size_t offset, int steps,
                         const std::vector<std::int32_t>& lengths) {
    for (int t = 0; t < steps; ++t) {
      for (int b = 0; b < shape.batch; ++b) {
        if (t < lengths[static_cast<std::size_t>(b)]) continue;
        for (int j = 0; j < shape.width; ++j) {
          row[offset + (static_cast<std::size_t>(t) * shape.batch + b) * shape.width + j] =
              std::numeric_limits<double>::quiet_NaN();
        }
      }
    }
  };
  spoil(dirty, shape.query_offset(), shape.steps, targets.lengths);
  spoil(dirty, shape.memory_offset(), shape.memory_steps, sources.lengths);
  spoil(dirty_probe, 0, shape.steps, targets.lengths);
  const Outcome a =
      forward_and_backward(shape, clean, sources.lengths, targets.lengths, clean_probe);
  const Outcome b =
      forward_and_backward(shape, dirty, sources.lengths, targets.lengths, dirty_probe);
  EXPECT_EQ(a.output, b.output);
  EXPECT_EQ(a.gradients, b.gradients);
}

INSTANTIATE_TEST_SUITE_P(Devices, AttentionOn, testing::ValuesIn(rounding_device_cases()),
                         name_of_case);

}  // namespace
}  // namespace traind
