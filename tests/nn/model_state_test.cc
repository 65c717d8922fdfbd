// What the model keeps from call to call, and what it must not keep or read.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "model/base/error.h"
#include "tests/nn/counting_backend.h"
#include "tests/nn/model_case.h"
#include "tests/nn/toy_batch.h"

namespace traind {
namespace {

using testing::Each;
using testing::HasSubstr;

// Everything that save() gives.
struct Saved {
  std::vector<float> weights;
  std::vector<float> first;
  std::vector<float> second;
  bool operator==(const Saved&) const = default;
};

Saved saved(const SequenceModel& model) {
  const std::size_t size = row_size(model.parameters());
  Saved rows{std::vector<float>(size), std::vector<float>(size), std::vector<float>(size)};
  model.save(rows.weights, rows.first, rows.second);
  return rows;
}

// The same sentences in a wider frame, with other ids in the padding.
ToyBatch in_wider_frame(const ToyBatch& batch, int more_source, int more_target) {
  const std::size_t sentences = batch.source_lengths.size();
  const auto widen = [&](std::vector<std::int32_t>& ids, int steps,
                         const std::vector<std::int32_t>& lengths) {
    ids.resize(static_cast<std::size_t>(steps) * sentences);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (static_cast<std::int32_t>(i / sentences) >= lengths[i % sentences]) ids[i] = 6;
    }
  };
  ToyBatch wide = batch;
  wide.source_steps += more_source;
  wide.target_steps += more_target;
  widen(wide.source, wide.source_steps, wide.source_lengths);
  widen(wide.target_in, wide.target_steps, wide.target_lengths);
  widen(wide.target_out, wide.target_steps, wide.target_lengths);
  return wide;
}

class ModelState : public testing::TestWithParam<ModelCase> {
 protected:
  ModelState()
      : backend_(cpu_backend()),
        model_(*backend_, GetParam().shape()),
        row_(lively_row(model_.parameters(), 5)),
        batch_(toy_batch(GetParam().shape(), {}, 9)) {
    fill(model_, row_);
  }

  std::vector<float> fresh_gradients(const ToyBatch& batch) {
    fill(model_, row_);
    model_.forward_backward(batch.pair(), {1, 1});
    return gradients_of(model_);
  }

  void train(SequenceModel& model, int from, int to) const {
    UpdateSettings settings;
    settings.beta2 = 0.99f;
    settings.clip_norm = 1.0f;
    for (int step = from; step <= to; ++step) {
      const auto seed = static_cast<std::uint64_t>(step);
      model.forward_backward(toy_batch(GetParam().shape(), {5, 3 + step % 3, 4}, seed).pair(),
                             {1, seed});
      model.update(settings, step, 0.01f);
      model.take_result();
    }
  }

  std::unique_ptr<Backend> backend_;
  SequenceModel model_;
  std::vector<float> row_;
  ToyBatch batch_;
};

TEST_P(ModelState, PaddingContentChangesNoBit) {
  const std::vector<float> gradients = fresh_gradients(batch_);
  const double loss = model_.evaluate(batch_.pair()).loss;
  const ToyBatch other = in_wider_frame(batch_, 0, 0);
  ASSERT_NE(other.source, batch_.source);
  EXPECT_EQ(fresh_gradients(other), gradients);
  EXPECT_EQ(model_.evaluate(other.pair()).loss, loss);
}

TEST_P(ModelState, MorePaddingChangesNothing) {
  // With dropout too: the mask of element (t, b) depends on B and M, not on the number of steps.
  const std::vector<float> gradients = fresh_gradients(batch_);
  const double loss = model_.evaluate(batch_.pair()).loss;
  const ToyBatch wide = in_wider_frame(batch_, 4, 3);
  const std::vector<float> of_wide = fresh_gradients(wide);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    EXPECT_NEAR(of_wide[i], gradients[i], 1e-6) << "float " << i;
  }
  EXPECT_NEAR(model_.evaluate(wide.pair()).loss, loss, 1e-5);
}

TEST_P(ModelState, ForwardBackwardIsDeterministic) {
  const std::vector<float> gradients = fresh_gradients(batch_);
  fresh_gradients(toy_batch(GetParam().shape(), {7, 9, 2}, 4));
  EXPECT_EQ(fresh_gradients(batch_), gradients);
}

TEST_P(ModelState, GradientsOfTwoBatchesAddUp) {
  const ToyBatch other = toy_batch(GetParam().shape(), {3, 6, 5}, 77);
  const std::vector<float> first = fresh_gradients(batch_);
  const std::vector<float> second = fresh_gradients(other);
  fill(model_, row_);
  model_.forward_backward(batch_.pair(), {1, 1});
  model_.forward_backward(other.pair(), {1, 1});
  const std::vector<float> both = gradients_of(model_);
  for (std::size_t i = 0; i < both.size(); ++i) {
    EXPECT_NEAR(both[i], first[i] + second[i], 1e-6) << "float " << i;
  }
}

// The sentences [begin, end) of a batch, in a frame as wide.
ToyBatch part_of(const ToyBatch& batch, std::size_t begin, std::size_t end) {
  const std::size_t sentences = batch.target_lengths.size();
  const auto cut = [&](const std::vector<std::int32_t>& ids) {
    std::vector<std::int32_t> part;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (i % sentences >= begin && i % sentences < end) part.push_back(ids[i]);
    }
    return part;
  };
  return {batch.source_steps,        batch.target_steps,   cut(batch.source),
          cut(batch.source_lengths), cut(batch.target_in), cut(batch.target_out),
          cut(batch.target_lengths)};
}

TEST_P(ModelState, TwoHalfBatchesMakeTheUpdateOfAWholeOne) {
  if (GetParam().dropout > 0) return;  // its masks belong to places in the batch
  constexpr float kSmoothing = 0.1f;
  const auto update = [&](const std::vector<ToyBatch>& batches) {
    fill(model_, row_);
    for (const ToyBatch& batch : batches) {
      model_.forward_backward(batch.pair(), {1, 1, batch_.target_tokens(), kSmoothing});
    }
    model_.update({}, 1, 0.01f);
    return model_.take_result();
  };
  const StepResult whole = update({batch_});
  const Saved after = saved(model_);
  const StepResult halves = update({part_of(batch_, 0, 2), part_of(batch_, 2, 4)});
  EXPECT_EQ(halves.loss.tokens, whole.loss.tokens);
  EXPECT_EQ(halves.loss.correct, whole.loss.correct);
  EXPECT_NEAR(halves.loss.loss, whole.loss.loss, 1e-5);
  EXPECT_NEAR(halves.gradient_norm, whole.gradient_norm, 1e-5 * whole.gradient_norm);
  // The first moment is a tenth of the gradient. Weights would not do: Adam's first step makes a
  // gradient of next to nothing as large as any other.
  const Saved accumulated = saved(model_);
  for (std::size_t i = 0; i < after.first.size(); ++i) {
    EXPECT_NEAR(accumulated.first[i], after.first[i], 1e-7) << "float " << i;
  }
}

TEST_P(ModelState, SavedAndRestoredItTrainsOnToTheSameBits) {
  train(model_, 1, 3);
  const Saved middle = saved(model_);
  train(model_, 4, 6);
  const Saved end = saved(model_);

  const std::unique_ptr<Backend> backend = cpu_backend();
  SequenceModel resumed(*backend, GetParam().shape());
  resumed.restore(middle.weights, middle.first, middle.second);
  EXPECT_EQ(saved(resumed), middle);
  train(resumed, 4, 6);
  EXPECT_EQ(saved(resumed), end);
  EXPECT_NE(end.weights, middle.weights);
}

TEST_P(ModelState, EvaluatingAndDecodingBetweenStepsChangesNoBit) {
  train(model_, 1, 4);
  const Saved plain = saved(model_);
  fill(model_, row_);
  for (int step = 1; step <= 4; ++step) {
    model_.evaluate(batch_.pair());
    model_.decode({batch_.pair().source, 2, 3, 12});
    train(model_, step, step);
  }
  EXPECT_EQ(saved(model_), plain);
}

TEST_P(ModelState, UpdateLeavesNoGradientBehind) {
  model_.forward_backward(batch_.pair(), {1, 1});
  model_.update({}, 1, 0.01f);
  EXPECT_GT(model_.take_result().gradient_norm, 0);
  EXPECT_THAT(gradients_of(model_), Each(0.0f));
}

TEST_P(ModelState, AllocatesNothingAfterTheLargestBatch) {
  CountingBackend counting(*backend_);
  SequenceModel model(counting, GetParam().shape());
  model.initialise(1);
  const auto pass = [&](const ToySize& size) {
    const ToyBatch batch = toy_batch(GetParam().shape(), size, 1);
    model.forward_backward(batch.pair(), {1, 1});
    model.evaluate(batch.pair());
    model.decode({batch.pair().source, 2, 3, 4});
  };
  pass({6, 8, 7});
  const int before = counting.allocations();
  pass({6, 5, 7});
  pass({2, 8, 3});
  pass({6, 8, 7});
  EXPECT_EQ(counting.allocations(), before);
}

TEST_P(ModelState, OfSgdHasOneRowOfMoments) {
  const auto train_sgd = [](SequenceModel& model, int from, int to) {
    for (int step = from; step <= to; ++step) {
      const auto seed = static_cast<std::uint64_t>(step);
      model.forward_backward(toy_batch(GetParam().shape(), {}, seed).pair(), {1, seed});
      model.update({.optimizer = Optimizer::kSgd, .momentum = 0.9f}, step, 0.1f);
      model.take_result();
    }
  };
  const std::size_t size = row_.size();
  SequenceModel model(*backend_, GetParam().shape(), Optimizer::kSgd);
  ASSERT_EQ(model.moments(), 1);
  EXPECT_EQ(model_.moments(), 2);
  model.restore(row_, std::vector<float>(size), {});
  train_sgd(model, 1, 2);
  EXPECT_EQ(model.snapshot()->wait().size(), 2 * size);
  Saved middle{std::vector<float>(size), std::vector<float>(size), {}};
  model.save(middle.weights, middle.first, middle.second);
  EXPECT_NE(middle.weights, row_);
  EXPECT_NE(middle.first, std::vector<float>(size));
  train_sgd(model, 3, 4);
  SequenceModel resumed(*backend_, GetParam().shape(), Optimizer::kSgd);
  resumed.restore(middle.weights, middle.first, {});
  train_sgd(resumed, 3, 4);
  EXPECT_EQ(weights_of(resumed), weights_of(model));
}

INSTANTIATE_TEST_SUITE_P(EveryKind, ModelState, testing::ValuesIn(all_model_cases()),
                         [](const auto& of) { return name_of(of.param); });

TEST(ModelDropout, ChangesWithTheStepAndTheSeed) {
  const std::unique_ptr<Backend> backend = cpu_backend();
  const ModelCase kind{2, false, false, 0.4f};
  SequenceModel model(*backend, kind.shape());
  const std::vector<float> row = lively_row(model.parameters(), 5);
  const ToyBatch batch = toy_batch(kind.shape(), {}, 9);
  const auto gradients = [&](std::uint64_t seed, std::uint64_t step) {
    fill(model, row);
    model.forward_backward(batch.pair(), {seed, step});
    return gradients_of(model);
  };
  const std::vector<float> first = gradients(1, 1);
  EXPECT_EQ(gradients(1, 1), first);
  EXPECT_NE(gradients(1, 2), first);
  EXPECT_NE(gradients(2, 1), first);
}

TEST(ModelInitialise, ForgetsWhatWasBefore) {
  const std::unique_ptr<Backend> backend = cpu_backend();
  const ModelCase kind{2, true, true, 0};
  SequenceModel model(*backend, kind.shape());
  model.initialise(3);
  const Saved start = saved(model);
  EXPECT_THAT(start.first, Each(0.0f));
  EXPECT_THAT(start.second, Each(0.0f));
  const ToyBatch batch = toy_batch(kind.shape(), {}, 9);
  model.forward_backward(batch.pair(), {1, 1});
  model.update({}, 1, 0.1f);
  model.forward_backward(batch.pair(), {1, 2});
  model.initialise(3);
  EXPECT_EQ(saved(model), start);
  EXPECT_THAT(gradients_of(model), Each(0.0f));
}

TEST(ModelSize, CountsParametersWithoutPadding) {
  const std::unique_ptr<Backend> backend = cpu_backend();
  // 2 sides: embedding 100 x 8, one layer 4*16 x (8 + 16 + 2); output 100 x 16 + 100.
  SequenceModel model(*backend, {1, 16, 8, false, false, 0, 100, 100});
  EXPECT_EQ(model.parameter_count(), 2 * (800 + 64 * 26) + 1700);
}

struct BadBatch {
  std::function<void(ToyBatch&)> spoil;
  const char* reason;
};

TEST(ModelBatch, ThatWouldReadOutsideIsRefusedWithTheReason) {
  const std::unique_ptr<Backend> backend = cpu_backend();
  const ModelCase kind{1, false, true, 0};
  SequenceModel model(*backend, kind.shape());
  const std::vector<BadBatch> bad = {
      {[](ToyBatch& b) { b.source[5] = 7; },
       "the source has id 7 at step 1 of sentence 1, outside a vocabulary of 7"},
      {[](ToyBatch& b) { b.source[0] = -1; }, "the source has id -1 at step 0 of sentence 0"},
      {[](ToyBatch& b) { b.target_in[3] = 8; }, "the decoder's input has id 8"},
      {[](ToyBatch& b) { b.target_out[3] = 8; }, "the target has id 8"},
      {[](ToyBatch& b) { b.source_lengths[2] = 0; },
       "the source has length 0 in sentence 2, outside 1 to 5"},
      {[](ToyBatch& b) { b.target_lengths[2] = 5; }, "has length 5 in sentence 2, outside 1 to 4"},
      {[](ToyBatch& b) { b.source.pop_back(); }, "has 19 ids for 5 steps of 4 sentences"},
      {[](ToyBatch& b) { b.source_lengths.clear(); }, "the source is empty"},
      {[](ToyBatch& b) {
         b.source_lengths.pop_back();
         b.source.resize(15);
       },
       "differ in their sentences"},
  };
  for (const BadBatch& of : bad) {
    ToyBatch batch = toy_batch(kind.shape(), {}, 9);
    of.spoil(batch);
    try {
      model.forward_backward(batch.pair(), {1, 1});
      ADD_FAILURE() << "accepted: " << of.reason;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInternal);
      EXPECT_THAT(error.what(), HasSubstr(of.reason));
    }
  }
}

}  // namespace
}  // namespace traind
