// A whole training step on the CUDA backend: one graph, and the same numbers as on the CPU.
#include <gtest/gtest.h>

#include <cmath>

#include "model/backend/cpu/cpu_backend.h"
#include "model/backend/cuda/cuda_backend.h"
#include "tests/backend/cuda/host_device.h"
#include "tests/backend/training_step.h"

namespace traind {
namespace {

// Batches of two lengths in turn, so that graphs of both shapes are in use.
std::vector<StepResult> train(Backend& backend, int steps, const StepShape& shape) {
  TrainingStep training(backend, shape);
  std::vector<StepResult> results;
  for (int step = 1; step <= steps; ++step) {
    const int length = step % 2 == 0 ? shape.steps : shape.steps - 3;
    const auto seed = static_cast<std::uint64_t>(step);
    const auto source = reference::batch_of(length, shape.batch, shape.words, shape.ragged, seed);
    auto target = reference::batch_of(length, shape.batch, shape.words, shape.ragged, 50 + seed);
    results.push_back(training.run(source, target, length, step));
  }
  return results;
}

StepShape small_shape(bool ragged) { return {12, 6, 8, 9, 5, ragged}; }

TEST(CudaStep, LearnsWhatTheCpuLearns) {
  for (const bool ragged : {false, true}) {
    const auto expected = train(*cpu::make_cpu_backend({1}), 12, small_shape(ragged));
    const auto actual = train(*cuda::make_cuda_backend({}), 12, small_shape(ragged));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(actual[i].loss.loss, expected[i].loss.loss, 1e-4 * expected[i].loss.loss) << i;
      EXPECT_EQ(actual[i].loss.tokens, expected[i].loss.tokens) << i;
      EXPECT_NEAR(actual[i].gradient_norm, expected[i].gradient_norm,
                  1e-3 * expected[i].gradient_norm)
          << i;
    }
  }
}

TEST(CudaStep, IsOneGraphOnceItsShapeIsKnown) {
  const auto backend = cuda::make_cuda_backend({});
  const StepShape shape = small_shape(true);
  TrainingStep training(*backend, shape);
  for (int step = 1; step <= 8; ++step) {
    const auto seed = static_cast<std::uint64_t>(step);
    const auto source = reference::batch_of(shape.steps, shape.batch, shape.words, true, seed);
    const auto target = reference::batch_of(shape.steps, shape.batch, shape.words, true, 9 + seed);
    const cuda::HostCounts before = cuda::host_counts();
    training.run(source, target, shape.steps, step);
    const cuda::HostCounts after = cuda::host_counts();
    // The first step finds out how much memory it needs, piece by piece; the second runs whole for
    // the first time, the third makes the graph of it.
    if (step <= 3) continue;
    EXPECT_EQ(after.graphs_made, before.graphs_made) << "step " << step;
    EXPECT_EQ(after.graphs_replayed, before.graphs_replayed + 1) << "step " << step;
    EXPECT_EQ(after.queued, before.queued + 2) << "the graph, and what is staged for it";
  }
}

TEST(CudaStep, HasTheSameBitsEveryTime) {
  const auto once = train(*cuda::make_cuda_backend({}), 6, small_shape(true));
  const auto again = train(*cuda::make_cuda_backend({}), 6, small_shape(true));
  for (std::size_t i = 0; i < once.size(); ++i) {
    EXPECT_EQ(once[i].loss.loss, again[i].loss.loss);
    EXPECT_EQ(once[i].gradient_norm, again[i].gradient_norm);
  }
}

}  // namespace
}  // namespace traind
