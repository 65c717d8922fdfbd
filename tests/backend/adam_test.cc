// Clipping and Adam of every device against the definition.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/base/error.h"
#include "tests/backend/device_case.h"
#include "tests/backend/reference.h"

namespace traind {
namespace {

using reference::Row;

// torch.optim.Adam after torch.nn.utils.clip_grad_norm_, in double.
struct PlainAdam {
  Row parameters, first, second;
  double update(Row gradients, const AdamStep& settings) {
    double norm = 0;
    for (const double g : gradients) norm += g * g;
    norm = std::sqrt(norm);
    if (settings.clip_norm > 0 && norm > settings.clip_norm) {
      for (double& g : gradients) g *= settings.clip_norm / (norm + 1e-6);
    }
    const double correction1 = 1 - std::pow(settings.beta1, settings.step);
    const double correction2 = 1 - std::pow(settings.beta2, settings.step);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      first[i] = settings.beta1 * first[i] + (1 - settings.beta1) * gradients[i];
      second[i] = settings.beta2 * second[i] + (1 - settings.beta2) * gradients[i] * gradients[i];
      parameters[i] -= settings.rate * (first[i] / correction1) /
                       (std::sqrt(second[i] / correction2) + settings.epsilon);
    }
    return norm;
  }
};

class AdamOn : public OnDevice {
 protected:
  AdamStep step_of(std::size_t size) {
    AdamStep step;
    step.parameters = put(reference::random_row(size, 1, 1));
    step.gradients = zeros(size);
    step.first_moment = zeros(size);
    step.second_moment = zeros(size);
    return step;
  }
  void set_gradients(const AdamStep& step, const Row& values) {
    backend_->write(step.gradients, std::vector<float>(values.begin(), values.end()));
  }
};

TEST_P(AdamOn, UpdatesAsTheDefinitionSays) {
  for (const std::size_t size : {1, 7, 100, 20001}) {
    for (const float clip : {0.0f, 0.5f, 1e6f}) {
      AdamStep step = step_of(size);
      step.rate = 0.01f;
      step.clip_norm = clip;
      PlainAdam plain{get(step.parameters), Row(size, 0), Row(size, 0)};
      for (step.step = 1; step.step <= 5; ++step.step) {
        const Row gradients = reference::random_row(size, 10 + step.step, 0.3);
        set_gradients(step, gradients);
        backend_->adam(step);
        const double norm = plain.update(gradients, step);
        EXPECT_NEAR(backend_->take_result().gradient_norm, norm, 1e-6 * norm);
        EXPECT_EQ(get(step.gradients), Row(size, 0));
      }
      expect_close(get(step.parameters), plain.parameters, tolerance(), "parameters");
      expect_close(get(step.first_moment), plain.first, tolerance(), "first moment");
      expect_close(get(step.second_moment), plain.second, tolerance(), "second moment", 1e-6);
    }
  }
}

TEST_P(AdamOn, ANormThatIsNotFiniteChangesNothingButTheGradients) {
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    AdamStep step = step_of(50);
    set_gradients(step, reference::random_row(50, 3, 1));
    backend_->adam(step);
    backend_->take_result();
    const Row parameters = get(step.parameters);
    const Row first = get(step.first_moment);
    const Row second = get(step.second_moment);
    Row gradients = reference::random_row(50, 4, 1);
    gradients[31] = bad;
    set_gradients(step, gradients);
    backend_->adam(step);
    EXPECT_FALSE(std::isfinite(backend_->take_result().gradient_norm));
    EXPECT_EQ(get(step.parameters), parameters);
    EXPECT_EQ(get(step.first_moment), first);
    EXPECT_EQ(get(step.second_moment), second);
    EXPECT_EQ(get(step.gradients), Row(50, 0));
  }
}

TEST_P(AdamOn, ResultsComeInTheOrderOfTheUpdates) {
  AdamStep step = step_of(4);
  for (const double size : {1.0, 2.0, 3.0}) {
    set_gradients(step, {size, 0, 0, 0});
    backend_->adam(step);
  }
  EXPECT_EQ(backend_->take_result().gradient_norm, 1);
  EXPECT_EQ(backend_->take_result().gradient_norm, 2);
  EXPECT_EQ(backend_->take_result().gradient_norm, 3);
  EXPECT_THROW(backend_->take_result(), Error);
}

INSTANTIATE_TEST_SUITE_P(Devices, AdamOn, testing::ValuesIn(device_cases()), name_of_case);

}  // namespace
}  // namespace traind
