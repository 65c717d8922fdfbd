#include "tests/backend/cuda/host_layer.h"

#include <cmath>
#include <vector>

namespace traind::cuda {
namespace {

float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

// Gates, in the order of the weights.
enum Gate { kInput, kForget, kCell, kOutput };

}  // namespace

// Gaps between the parameters, as cuDNN may leave them.
HostLayer::HostLayer(const LayerShape& shape, Type type) : shape_(shape), type_(type) {
  constexpr std::size_t kGap = 3;
  std::size_t at = kGap;
  const auto next = [&](std::size_t count) {
    const std::size_t begin = at;
    at += count + kGap;
    return begin;
  };
  const auto h = static_cast<std::size_t>(shape.hidden);
  for (int g = 0; g < 4; ++g) {
    places_.weight_ih[g] = next(h * shape.input);
    places_.bias_ih[g] = next(h);
  }
  for (int g = 0; g < 4; ++g) {
    places_.weight_hh[g] = next(h * h);
    places_.bias_hh[g] = next(h);
  }
  places_.total = at;
}

// What a step leaves for the backward pass: four gates and the cell state after it, [B,H] each.
struct HostLayer::Step {
  float* gate[4];
  float* c;

  Step(void* reserve, const HostLayer& layer, int t) {
    float* at = static_cast<float*>(reserve) + 5 * layer.state() * t;
    for (float*& one : gate) {
      one = at;
      at += layer.state();
    }
    c = at;
  }
};

std::size_t HostLayer::reserve_bytes() const {
  return 5 * state() * static_cast<std::size_t>(shape_.steps) * sizeof(float);
}

void HostLayer::forward(const LayerForward& call) const {
  const std::size_t h = shape_.hidden;
  const std::size_t width = shape_.input;
  const Array x{call.x, type_, 0};
  const Array y{call.y, type_, 0};
  const Array first_h{call.first_h, type_, 0};
  const Array first_c{call.first_c, type_, 0};
  const Array last_c{call.last_c, type_, 0};
  const Array weights{call.weights, type_, 0};
  std::vector<char> own(shape_.training ? 0 : reserve_bytes());
  void* const reserve = shape_.training ? call.reserve : own.data();
  for (int t = 0; t < shape_.steps; ++t) {
    const Step now(reserve, *this, t);
    for (std::size_t i = 0; i < state(); ++i) {
      const std::size_t b = i / h;
      const std::size_t j = i % h;
      for (int g = 0; g < 4; ++g) {
        float sum = weights.get(places_.bias_ih[g] + j) + weights.get(places_.bias_hh[g] + j);
        for (std::size_t k = 0; k < width; ++k) {
          sum += x.get((t * shape_.batch + b) * width + k) *
                 weights.get(places_.weight_ih[g] + j * width + k);
        }
        for (std::size_t k = 0; k < h; ++k) {
          const float before =
              t == 0 ? first_h.get(b * h + k) : y.get(((t - 1) * shape_.batch + b) * h + k);
          sum += before * weights.get(places_.weight_hh[g] + j * h + k);
        }
        now.gate[g][i] = g == kCell ? std::tanh(sum) : sigmoid(sum);
      }
      const float c_before = t == 0 ? first_c.get(i) : Step(reserve, *this, t - 1).c[i];
      now.c[i] = now.gate[kForget][i] * c_before + now.gate[kInput][i] * now.gate[kCell][i];
      y.set(t * state() + i, now.gate[kOutput][i] * std::tanh(now.c[i]));
    }
    if (t + 1 < shape_.steps) continue;
    for (std::size_t i = 0; i < state(); ++i) last_c.set(i, now.c[i]);
  }
}

void HostLayer::backward(const LayerForward& forward, const LayerBackward& call) const {
  const std::size_t h = shape_.hidden;
  const std::size_t width = shape_.input;
  const Array x{forward.x, type_, 0};
  const Array y{forward.y, type_, 0};
  const Array first_h{forward.first_h, type_, 0};
  const Array first_c{forward.first_c, type_, 0};
  const Array weights{forward.weights, type_, 0};
  const Array d_y{call.d_y, type_, 0};
  const Array d_x{call.d_x, type_, 0};
  const Array d_weights{call.d_weights, type_, 0};
  const Array d_last_c{call.d_last_c, type_, 0};
  std::vector<float> d_h(state());
  std::vector<float> d_c(state());
  std::vector<float> d_sum(4 * state());  // of the four gates, before their functions
  std::vector<float> gradients(places_.total);
  for (std::size_t i = 0; i < state(); ++i) d_c[i] = d_last_c.get(i);
  for (int t = shape_.steps - 1; t >= 0; --t) {
    const Step now(forward.reserve, *this, t);
    for (std::size_t i = 0; i < state(); ++i) {
      const float before = t == 0 ? first_c.get(i) : Step(forward.reserve, *this, t - 1).c[i];
      const float in = now.gate[kInput][i];
      const float forget = now.gate[kForget][i];
      const float cell = now.gate[kCell][i];
      const float out = now.gate[kOutput][i];
      const float bent = std::tanh(now.c[i]);
      const float dh = d_h[i] + d_y.get(t * state() + i);
      const float dc = d_c[i] + dh * out * (1 - bent * bent);
      d_sum[kInput * state() + i] = dc * cell * in * (1 - in);
      d_sum[kForget * state() + i] = dc * before * forget * (1 - forget);
      d_sum[kCell * state() + i] = dc * in * (1 - cell * cell);
      d_sum[kOutput * state() + i] = dh * bent * out * (1 - out);
      d_c[i] = dc * forget;
      d_h[i] = 0;
    }
    std::vector<float> dx(static_cast<std::size_t>(shape_.batch) * width);
    for (int g = 0; g < 4; ++g) {
      for (std::size_t i = 0; i < state(); ++i) {
        const std::size_t b = i / h;
        const std::size_t j = i % h;
        const float d = d_sum[g * state() + i];
        gradients[places_.bias_ih[g] + j] += d;
        gradients[places_.bias_hh[g] + j] += d;
        for (std::size_t k = 0; k < width; ++k) {
          const std::size_t weight = places_.weight_ih[g] + j * width + k;
          dx[b * width + k] += d * weights.get(weight);
          gradients[weight] += d * x.get((t * shape_.batch + b) * width + k);
        }
        for (std::size_t k = 0; k < h; ++k) {
          const std::size_t weight = places_.weight_hh[g] + j * h + k;
          d_h[b * h + k] += d * weights.get(weight);
          gradients[weight] +=
              d * (t == 0 ? first_h.get(b * h + k) : y.get(((t - 1) * shape_.batch + b) * h + k));
        }
      }
    }
    for (std::size_t i = 0; i < dx.size(); ++i) d_x.set(t * dx.size() + i, dx[i]);
  }
  for (std::size_t i = 0; i < state(); ++i) {
    Array{call.d_first_h, type_, 0}.set(i, d_h[i]);
    Array{call.d_first_c, type_, 0}.set(i, d_c[i]);
  }
  for (std::size_t i = 0; i < places_.total; ++i) {
    d_weights.set(i, d_weights.get(i) + gradients[i]);
  }
}

}  // namespace traind::cuda
