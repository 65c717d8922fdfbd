// Clipping and the optimizers of every device against their definitions, and against PyTorch's.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/base/error.h"
#include "tests/backend/device_case.h"
#include "tests/backend/reference.h"

namespace traind {
namespace {

using reference::Row;

// torch.optim's of the name after torch.nn.utils.clip_grad_norm_, in double.
struct PlainOptimizer {
  Row parameters, first, second;
  double update(Row gradients, const UpdateStep& settings) {
    double norm = 0;
    for (const double g : gradients) norm += g * g;
    norm = std::sqrt(norm);
    if (settings.clip_norm > 0 && norm > settings.clip_norm) {
      for (double& g : gradients) g *= settings.clip_norm / (norm + 1e-6);
    }
    if (settings.optimizer == Optimizer::kSgd) {
      sgd(gradients, settings);
    } else {
      adam(gradients, settings);
    }
    return norm;
  }
  void adam(const Row& gradients, const UpdateStep& settings) {
    const bool decays = settings.optimizer == Optimizer::kAdamW;
    const double correction1 = 1 - std::pow(settings.beta1, settings.step);
    const double correction2 = 1 - std::pow(settings.beta2, settings.step);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (decays) parameters[i] -= settings.rate * settings.weight_decay * parameters[i];
      first[i] = settings.beta1 * first[i] + (1 - settings.beta1) * gradients[i];
      second[i] = settings.beta2 * second[i] + (1 - settings.beta2) * gradients[i] * gradients[i];
      parameters[i] -= settings.rate * (first[i] / correction1) /
                       (std::sqrt(second[i] / correction2) + settings.epsilon);
    }
  }
  void sgd(const Row& gradients, const UpdateStep& settings) {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const double gradient = gradients[i] + settings.weight_decay * parameters[i];
      first[i] = settings.momentum * first[i] + gradient;
      parameters[i] -= settings.rate * first[i];
    }
  }
};

class UpdateOn : public OnDevice {
 protected:
  UpdateStep step_of(std::size_t size) {
    UpdateStep step;
    step.parameters = put(reference::random_row(size, 1, 1));
    step.gradients = zeros(size);
    step.first_moment = zeros(size);
    step.second_moment = zeros(size);
    return step;
  }
  void set_gradients(const UpdateStep& step, const Row& values) {
    backend_->write(step.gradients, std::vector<float>(values.begin(), values.end()));
  }
};

struct NamedOptimizer {
  const char* name;
  Optimizer optimizer;
  float momentum, weight_decay;
};
const NamedOptimizer kOptimizers[] = {{"Adam", Optimizer::kAdam, 0, 0},
                                      {"AdamW", Optimizer::kAdamW, 0, 0.2f},
                                      {"SGD", Optimizer::kSgd, 0, 0},
                                      {"SGD with momentum and decay", Optimizer::kSgd, 0.9f, 0.2f}};

void choose(UpdateStep& step, const NamedOptimizer& one) {
  step.optimizer = one.optimizer;
  step.momentum = one.momentum;
  step.weight_decay = one.weight_decay;
  if (one.optimizer == Optimizer::kSgd) step.second_moment = {};
}

TEST_P(UpdateOn, UpdatesAsTheDefinitionSays) {
  for (const NamedOptimizer& one : kOptimizers) {
    for (const std::size_t size : {1, 7, 100, 20001}) {
      for (const float clip : {0.0f, 0.5f, 1e6f}) {
        SCOPED_TRACE(std::string(one.name) + ", size " + std::to_string(size));
        UpdateStep step = step_of(size);
        choose(step, one);
        step.rate = 0.01f;
        step.clip_norm = clip;
        PlainOptimizer plain{get(step.parameters), Row(size, 0), Row(size, 0)};
        const int last = size == 100 ? 60 : 5;
        for (step.step = 1; step.step <= last; ++step.step) {
          const Row gradients = reference::random_row(size, 10 + step.step, 0.3);
          set_gradients(step, gradients);
          backend_->update(step);
          const double norm = plain.update(gradients, step);
          EXPECT_NEAR(backend_->take_result().gradient_norm, norm, 1e-6 * norm);
          EXPECT_EQ(get(step.gradients), Row(size, 0));
        }
        expect_close(get(step.parameters), plain.parameters, tolerance(), "parameters");
        expect_close(get(step.first_moment), plain.first, tolerance(), "first moment");
        if (!step.second_moment) continue;
        expect_close(get(step.second_moment), plain.second, tolerance(), "second moment", 1e-6);
      }
    }
  }
}

// What PyTorch 1.13 makes of three parameters in double precision:
//   p = tensor([0.5, -1, 2]); o = torch.optim.NAME([p], 0.1, ...), then for t = 1 .. 20
//   p.grad = [((7 * i + 3 * t) % 11 - 5) / 4 for i in range(3)]; clip_grad_norm_([p], 1.5);
//   o.step()
const Row kOfTorch[] = {{0.539534612837, -1.14377127841, 1.67384524279},
                        {0.352036345039, -0.765609576997, 1.09218017163},
                        {0.45, -0.975, 1.825},
                        {-0.248772171185, 0.333573618665, -0.778165798202}};

TEST_P(UpdateOn, ParametersGoWherePyTorchsGo) {
  for (std::size_t which = 0; which < std::size(kOptimizers); ++which) {
    SCOPED_TRACE(kOptimizers[which].name);
    UpdateStep step = step_of(3);
    choose(step, kOptimizers[which]);
    step.parameters = put({0.5, -1, 2});
    step.rate = 0.1f;
    step.clip_norm = 1.5f;
    for (step.step = 1; step.step <= 20; ++step.step) {
      Row gradients;
      for (int i = 0; i < 3; ++i) {
        gradients.push_back(static_cast<double>((7 * i + 3 * step.step) % 11 - 5) / 4);
      }
      set_gradients(step, gradients);
      backend_->update(step);
      backend_->take_result();
    }
    expect_close(get(step.parameters), kOfTorch[which], tolerance(), "parameters");
  }
}

TEST_P(UpdateOn, RefusesSettingsThatMakeNoSense) {
  const auto refuses = [this](const auto& change) {
    UpdateStep step = step_of(4);
    change(step);
    EXPECT_THROW(backend_->update(step), Error);
  };
  refuses([](UpdateStep& step) { step.second_moment = {}; });
  refuses([](UpdateStep& step) { step.first_moment = {}; });
  refuses([](UpdateStep& step) { step.momentum = 1; });
  refuses([](UpdateStep& step) { step.weight_decay = -0.1f; });
  refuses([](UpdateStep& step) { step.step = 0; });
}

TEST_P(UpdateOn, ANormThatIsNotFiniteChangesNothingButTheGradients) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    UpdateStep step = step_of(50);
    set_gradients(step, reference::random_row(50, 3, 1));
    backend_->update(step);
    backend_->take_result();
    const Row parameters = get(step.parameters);
    const Row first = get(step.first_moment);
    const Row second = get(step.second_moment);
    Row gradients = reference::random_row(50, 4, 1);
    gradients[31] = bad;
    set_gradients(step, gradients);
    backend_->update(step);
    const StepResult result = backend_->take_result();
    EXPECT_FALSE(std::isfinite(result.gradient_norm));
    EXPECT_FALSE(result.skipped) << "that is what loss scaling does";
    EXPECT_EQ(result.loss_scale, 0);
    EXPECT_EQ(get(step.parameters), parameters);
    EXPECT_EQ(get(step.first_moment), first);
    EXPECT_EQ(get(step.second_moment), second);
    EXPECT_EQ(get(step.gradients), Row(50, 0));
  }
}

TEST_P(UpdateOn, ResultsComeInTheOrderOfTheUpdates) {
  UpdateStep step = step_of(4);
  for (const double size : {1.0, 2.0, 3.0}) {
    set_gradients(step, {size, 0, 0, 0});
    backend_->update(step);
  }
  EXPECT_EQ(backend_->take_result().gradient_norm, 1);
  EXPECT_EQ(backend_->take_result().gradient_norm, 2);
  EXPECT_EQ(backend_->take_result().gradient_norm, 3);
  EXPECT_THROW(backend_->take_result(), Error);
}

TEST_P(UpdateOn, ManyResultsMayWait) {
  UpdateStep step = step_of(4);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 50; ++i) {
      set_gradients(step, {1.0 + i, 0, 0, 0});
      backend_->update(step);
    }
    for (int i = 0; i < 50; ++i) EXPECT_EQ(backend_->take_result().gradient_norm, 1 + i);
  }
}

// Gradients that are as much larger as the scale says give the same update, bit for bit.
TEST_P(UpdateOn, TheLossScaleIsTakenOutOfTheGradients) {
  for (const float clip : {0.0f, 0.5f}) {
    UpdateStep plain = step_of(1000);
    UpdateStep scaled = step_of(1000);
    scaled.loss_scale = put({1024, 3});
    plain.clip_norm = scaled.clip_norm = clip;
    Row gradients = reference::random_row(1000, 10, 0.3);
    set_gradients(plain, gradients);
    backend_->update(plain);
    for (double& g : gradients) g *= 1024;
    set_gradients(scaled, gradients);
    backend_->update(scaled);
    const StepResult expected = backend_->take_result();
    const StepResult actual = backend_->take_result();
    EXPECT_EQ(actual.gradient_norm, expected.gradient_norm);
    EXPECT_FALSE(actual.skipped);
    EXPECT_EQ(actual.loss_scale, 1024);
    EXPECT_EQ(get(scaled.loss_scale), (Row{1024, 4}));
    EXPECT_EQ(get(scaled.parameters), get(plain.parameters));
    EXPECT_EQ(get(scaled.second_moment), get(plain.second_moment));
  }
}

TEST_P(UpdateOn, AnOverflowSkipsTheUpdateAndHalvesTheScaleDownToOne) {
  UpdateStep step = step_of(50);
  step.loss_scale = put({5, 17});
  const Row parameters = get(step.parameters);
  for (const double expected : {2.5, 1.25, 1.0, 1.0}) {
    Row gradients = reference::random_row(50, 4, 1);
    gradients[31] = std::numeric_limits<double>::infinity();
    set_gradients(step, gradients);
    backend_->update(step);
    const StepResult result = backend_->take_result();
    EXPECT_TRUE(result.skipped);
    EXPECT_FALSE(std::isfinite(result.gradient_norm));
    EXPECT_EQ(result.loss_scale, expected);
    EXPECT_EQ(get(step.loss_scale), (Row{expected, 0}));
    EXPECT_EQ(get(step.parameters), parameters);
    EXPECT_EQ(get(step.first_moment), Row(50, 0));
    EXPECT_EQ(get(step.gradients), Row(50, 0));
  }
}

TEST_P(UpdateOn, GoodUpdatesInARowDoubleTheScaleUpToTheLargest) {
  const double last = LossScale::kGrowthInterval - 1;
  UpdateStep step = step_of(8);
  const auto scale_after = [&](Row scale) {
    step.loss_scale = put(scale);
    set_gradients(step, Row(8, 1));
    backend_->update(step);
    const Row after = get(step.loss_scale);
    EXPECT_EQ(backend_->take_result().loss_scale, after[0]);
    return after;
  };
  EXPECT_EQ(scale_after({1024, last - 1}), (Row{1024, last}));
  EXPECT_EQ(scale_after({1024, last}), (Row{2048, 0}));
  EXPECT_EQ(scale_after({LossScale::kLargest, last}), (Row{LossScale::kLargest, 0}));
}

INSTANTIATE_TEST_SUITE_P(Devices, UpdateOn, testing::ValuesIn(device_cases()), name_of_case);

}  // namespace
}  // namespace traind
