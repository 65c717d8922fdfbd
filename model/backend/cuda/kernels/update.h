// Norm, clipping and an optimizer over all parameters, with the loss scale and the step's report.
// Three kernels, one after the other; nothing in between needs the host.
#pragma once

#include "model/backend/backend.h"
#include "model/backend/cuda/kernels/group.h"
#include "model/backend/loss_scaling.h"

namespace traind::cuda {

struct SquareSums {
  static constexpr const char* kName = "square_sums";
  static constexpr bool kOneThread = false;
  static constexpr std::size_t kPiece = 8192;  // floats a group adds up
  const float* values = nullptr;               // [size]
  double* sums = nullptr;                      // [pieces], written
  std::size_t size = 0;

  std::size_t count() const { return (size + kPiece - 1) / kPiece; }

  template <class Group>
  TRAIND_HOST_DEVICE void operator()(const Group& group, std::size_t piece) const {
    const std::size_t begin = piece * kPiece;
    const std::size_t end = begin + kPiece < size ? begin + kPiece : size;
    double sum = 0;
    for (std::size_t i = begin + group.rank(); i < end; i += group.size()) {
      const double value = values[i];
      sum += value * value;
    }
    sum = group.sum(sum);
    if (group.rank() == 0) sums[piece] = sum;
  }
};

// What of an update is another one every time.
struct UpdateNow {
  float rate = 0;                    // Adam's is already divided by 1 - beta1^step
  float second_correction_root = 1;  // sqrt(1 - beta2^step)
  float keep = 1;                    // 1 - rate * decay, of the parameters; AdamW's
  std::int32_t slot = 0;             // of the report
};

// What the norm decides.
struct UpdatePlan {
  float gradient_factor = 0;  // from clipping, and without the loss scale
  std::int32_t apply = 0;     // 0: parameters and moments stay as they are
};

struct UpdateDecision {
  static constexpr const char* kName = "update_decision";
  static constexpr bool kOneThread = false;
  const double* sums = nullptr;  // [pieces]
  const UpdateNow* now = nullptr;
  float* loss_scale = nullptr;    // [2], updated; null = none
  LossSum* pending = nullptr;     // reported and emptied
  StepResult* reports = nullptr;  // [slots], one written
  UpdatePlan* plan = nullptr;     // written
  std::size_t pieces = 0;
  float clip_norm = 0;  // 0 = no clipping
  std::int32_t unused = 0;

  std::size_t count() const { return 1; }

  template <class Group>
  TRAIND_HOST_DEVICE void operator()(const Group& group, std::size_t) const {
    double sum = 0;
    for (std::size_t i = group.rank(); i < pieces; i += group.size()) sum += sums[i];
    sum = group.sum(sum);
    if (group.rank() == 0) decide(std::sqrt(sum));
  }

 private:
  TRAIND_HOST_DEVICE void decide(double scaled_norm) const {
    const double scale = loss_scale == nullptr ? 1 : loss_scale[0];
    const double norm = scaled_norm / scale;
    const bool finite = std::isfinite(norm);
    double factor = 1;
    if (clip_norm > 0) {
      // As torch.nn.utils.clip_grad_norm_ does it.
      factor = clip_norm / (norm + 1e-6);
      if (factor > 1) factor = 1;
    }
    plan->gradient_factor = static_cast<float>(factor / scale);
    plan->apply = finite ? 1 : 0;
    if (loss_scale != nullptr) follow_norm(loss_scale, finite);
    StepResult& report = reports[now->slot];
    report.loss = *pending;
    report.gradient_norm = norm;
    report.skipped = loss_scale != nullptr && !finite;
    report.loss_scale = loss_scale == nullptr ? 0 : loss_scale[0];
    pending->loss = 0;
    pending->tokens = 0;
    pending->correct = 0;
  }
};

struct AdamUpdate {
  static constexpr const char* kName = "adam_update";
  static constexpr bool kOneThread = true;
  float* parameters = nullptr;     // [size]
  float* gradients = nullptr;      // [size], zeroed
  float* first_moment = nullptr;   // [size]
  float* second_moment = nullptr;  // [size]
  const UpdateNow* now = nullptr;
  const UpdatePlan* plan = nullptr;
  std::size_t size = 0;
  float beta1 = 0, beta2 = 0, epsilon = 0;
  std::int32_t unused = 0;

  std::size_t count() const { return size; }
  TRAIND_HOST_DEVICE void operator()(std::size_t i) const {
    if (plan->apply != 0) {
      const float g = gradients[i] * plan->gradient_factor;
      const float m = first_moment[i] * beta1 + g * (1.0f - beta1);
      const float v = second_moment[i] * beta2 + g * g * (1.0f - beta2);
      first_moment[i] = m;
      second_moment[i] = v;
      const float step = now->rate * m / (std::sqrt(v) / now->second_correction_root + epsilon);
      parameters[i] = parameters[i] * now->keep - step;
    }
    gradients[i] = 0;
  }
};

struct SgdUpdate {
  static constexpr const char* kName = "sgd_update";
  static constexpr bool kOneThread = true;
  float* parameters = nullptr;  // [size]
  float* gradients = nullptr;   // [size], zeroed
  float* moment = nullptr;      // [size]
  const UpdateNow* now = nullptr;
  const UpdatePlan* plan = nullptr;
  std::size_t size = 0;
  float momentum = 0, decay = 0;

  std::size_t count() const { return size; }
  TRAIND_HOST_DEVICE void operator()(std::size_t i) const {
    if (plan->apply != 0) {
      const float p = parameters[i];
      const float m = momentum * moment[i] + (gradients[i] * plan->gradient_factor + decay * p);
      moment[i] = m;
      parameters[i] = p - now->rate * m;
    }
    gradients[i] = 0;
  }
};

}  // namespace traind::cuda
