#include "model/backend/cpu/update.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/backend/loss_scaling.h"

namespace traind::cpu {
namespace {

// Squares are summed by pieces of this many floats, and the pieces in their order: the norm does
// not depend on who summed which piece.
constexpr int kPiece = 8192;

struct Norm {
  int pieces = 0;
  double* squares = nullptr;  // [pieces]
  void lay_out(Carver& carver) { squares = carver.take<double>(pieces); }
};

double norm_of(Engine& engine, int lanes, const Tensor& gradients) {
  Norm norm;
  norm.pieces = static_cast<int>((gradients.size + kPiece - 1) / kPiece);
  const Lease workspace = lend(engine.arena, norm);
  engine.team.run(lanes, [&](const Lane& lane) {
    const Range mine = lane.share(norm.pieces);
    for (int i = mine.begin; i < mine.end; ++i) {
      const std::size_t begin = static_cast<std::size_t>(i) * kPiece;
      norm.squares[i] = engine.kernels.square_sum(
          std::min<std::size_t>(kPiece, gradients.size - begin), gradients.data + begin);
    }
  });
  double sum = 0;
  for (int i = 0; i < norm.pieces; ++i) sum += norm.squares[i];
  return std::sqrt(sum);
}

// As torch.nn.utils.clip_grad_norm_ does it.
float gradient_scale_of(const UpdateStep& step, double norm, double scale) {
  const double factor = step.clip_norm > 0 ? step.clip_norm / (norm + 1e-6) : 1;
  return static_cast<float>(std::min(factor, 1.0) / scale);
}

AdamRange adam_of(const UpdateStep& step) {
  AdamRange range;
  const double first_correction = 1 - std::pow(static_cast<double>(step.beta1), step.step);
  const double second_correction = 1 - std::pow(static_cast<double>(step.beta2), step.step);
  range.beta1 = step.beta1;
  range.beta2 = step.beta2;
  range.epsilon = step.epsilon;
  range.rate = static_cast<float>(step.rate / first_correction);
  range.second_correction_root = static_cast<float>(std::sqrt(second_correction));
  const bool decays = step.optimizer == Optimizer::kAdamW;
  if (decays) range.keep = static_cast<float>(1 - double{step.rate} * double{step.weight_decay});
  return range;
}

UpdateRange range_of(const UpdateStep& step, std::size_t begin, std::size_t end) {
  UpdateRange range;
  range.count = end - begin;
  range.parameters = step.parameters.data + begin;
  range.gradients = step.gradients.data + begin;
  range.first_moment = step.first_moment.data + begin;
  if (step.second_moment) range.second_moment = step.second_moment.data + begin;
  return range;
}

void apply(const Kernels& kernels, const UpdateStep& step, const UpdateRange& range) {
  if (step.optimizer == Optimizer::kSgd) {
    kernels.sgd({range, step.momentum, step.weight_decay, step.rate});
    return;
  }
  AdamRange adam = adam_of(step);
  adam.range = range;
  kernels.adam(adam);
}

}  // namespace

StepResult update(Engine& engine, const UpdateStep& step) {
  check_update(step);
  const std::size_t size = step.parameters.size;
  const int lanes = engine.team.lanes_for(16.0 * static_cast<double>(size));
  const double scale = step.loss_scale ? *step.loss_scale.data : 1;
  const double norm = norm_of(engine, lanes, step.gradients) / scale;
  StepResult result;
  result.gradient_norm = norm;
  if (step.loss_scale) {
    follow_norm(step.loss_scale.data, std::isfinite(norm));
    result.skipped = !std::isfinite(norm);
    result.loss_scale = *step.loss_scale.data;
  }
  if (!std::isfinite(norm)) {
    std::memset(step.gradients.data, 0, sizeof(float) * size);
    return result;
  }
  const float gradient_scale = gradient_scale_of(step, norm, scale);
  engine.team.run(lanes, [&](const Lane& lane) {
    const Range pieces = lane.share(static_cast<int>((size + kPiece - 1) / kPiece));
    if (pieces.size() == 0) return;
    UpdateRange mine = range_of(step, static_cast<std::size_t>(pieces.begin) * kPiece,
                                std::min(static_cast<std::size_t>(pieces.end) * kPiece, size));
    mine.gradient_scale = gradient_scale;
    apply(engine.kernels, step, mine);
  });
  engine.packs.changed(step.parameters.data, size);
  return result;
}

}  // namespace traind::cpu
