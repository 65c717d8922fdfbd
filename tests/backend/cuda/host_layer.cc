#include "tests/backend/cuda/host_layer.h"

#include <cmath>

namespace traind::cuda {
namespace {

float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

// Gates, in the order of the weights.
enum LstmGate { kInput, kForget, kCell, kOutput };
enum GruGate { kReset, kUpdate, kNew };

// Rows of a step: the gates, and of an LSTM c after it, of a GRU the candidate's sum over the
// state.
constexpr std::size_t kMostRows = 5;

}  // namespace

// Gaps between the parameters, as cuDNN may leave them.
HostLayer::HostLayer(const LayerShape& shape, Type type) : shape_(shape), type_(type) {
  constexpr std::size_t kGap = 3;
  std::size_t end = kGap;
  const auto next = [&](std::size_t count) {
    const std::size_t begin = end;
    end += count + kGap;
    return begin;
  };
  const auto h = static_cast<std::size_t>(shape.hidden);
  for (int g = 0; g < gates(); ++g) {
    places_.weight_ih[g] = next(h * shape.input);
    places_.bias_ih[g] = next(h);
  }
  for (int g = 0; g < gates(); ++g) {
    places_.weight_hh[g] = next(h * h);
    places_.bias_hh[g] = next(h);
  }
  places_.total = end;
}

// What a step leaves for the backward pass, [B,H] each.
struct HostLayer::Step {
  float* gate[4];  // after their functions
  float* extra;

  Step(void* reserve, const HostLayer& layer, int t) {
    float* from = static_cast<float*>(reserve) + kMostRows * layer.state() * t;
    for (float*& one : gate) {
      one = from;
      from += layer.state();
    }
    extra = from;
  }
};

std::size_t HostLayer::reserve_bytes() const {
  return kMostRows * state() * static_cast<std::size_t>(shape_.steps) * sizeof(float);
}

float HostLayer::h_before(const LayerForward& call, int t, std::size_t i) const {
  return t == 0 ? at(call.first_h).get(i) : at(call.y).get((t - 1) * state() + i);
}

float HostLayer::c_before(const LayerForward& call, void* reserve, int t, std::size_t i) const {
  return t == 0 ? at(call.first_c).get(i) : Step(reserve, *this, t - 1).extra[i];
}

float HostLayer::input_sum(const LayerForward& call, int t, int g, std::size_t i) const {
  const std::size_t h = shape_.hidden;
  const std::size_t width = shape_.input;
  const Array weights = at(call.weights);
  float sum = weights.get(places_.bias_ih[g] + i % h);
  for (std::size_t k = 0; k < width; ++k) {
    sum += at(call.x).get(place(t, i / h) * width + k) *
           weights.get(places_.weight_ih[g] + i % h * width + k);
  }
  return sum;
}

float HostLayer::state_sum(const LayerForward& call, int t, int g, std::size_t i) const {
  const std::size_t h = shape_.hidden;
  const Array weights = at(call.weights);
  float sum = weights.get(places_.bias_hh[g] + i % h);
  for (std::size_t k = 0; k < h; ++k) {
    sum += h_before(call, t, i / h * h + k) * weights.get(places_.weight_hh[g] + i % h * h + k);
  }
  return sum;
}

void HostLayer::lstm_step(const LayerForward& call, void* reserve, int t) const {
  const Step now(reserve, *this, t);
  for (std::size_t i = 0; i < state(); ++i) {
    for (int g = 0; g < gates(); ++g) {
      const float sum = input_sum(call, t, g, i) + state_sum(call, t, g, i);
      now.gate[g][i] = g == kCell ? std::tanh(sum) : sigmoid(sum);
    }
    now.extra[i] = now.gate[kForget][i] * c_before(call, reserve, t, i) +
                   now.gate[kInput][i] * now.gate[kCell][i];
    at(call.y).set(t * state() + i, now.gate[kOutput][i] * std::tanh(now.extra[i]));
    if (t + 1 == shape_.steps) at(call.last_c).set(i, now.extra[i]);
  }
}

void HostLayer::gru_step(const LayerForward& call, void* reserve, int t) const {
  const Step now(reserve, *this, t);
  for (std::size_t i = 0; i < state(); ++i) {
    for (const int g : {kReset, kUpdate}) {
      now.gate[g][i] = sigmoid(input_sum(call, t, g, i) + state_sum(call, t, g, i));
    }
    now.extra[i] = state_sum(call, t, kNew, i);
    now.gate[kNew][i] = std::tanh(input_sum(call, t, kNew, i) + now.gate[kReset][i] * now.extra[i]);
    const float z = now.gate[kUpdate][i];
    at(call.y).set(t * state() + i, (1 - z) * now.gate[kNew][i] + z * h_before(call, t, i));
  }
}

void HostLayer::forward(const LayerForward& call) const {
  std::vector<char> own(shape_.training ? 0 : reserve_bytes());
  void* const reserve = shape_.training ? call.reserve : own.data();
  for (int t = 0; t < shape_.steps; ++t) {
    if (shape_.cell == CellKind::kLstm) {
      lstm_step(call, reserve, t);
    } else {
      gru_step(call, reserve, t);
    }
  }
}

void HostLayer::lstm_step_back(const LayerForward& forward, int t, Carried& carried) const {
  const Step now(forward.reserve, *this, t);
  for (std::size_t i = 0; i < state(); ++i) {
    const float before = c_before(forward, forward.reserve, t, i);
    const float in = now.gate[kInput][i];
    const float forget = now.gate[kForget][i];
    const float cell = now.gate[kCell][i];
    const float out = now.gate[kOutput][i];
    const float bent = std::tanh(now.extra[i]);
    const float dh = carried.d_h[i];
    const float dc = carried.d_c[i] + dh * out * (1 - bent * bent);
    carried.d_input[kInput * state() + i] = dc * cell * in * (1 - in);
    carried.d_input[kForget * state() + i] = dc * before * forget * (1 - forget);
    carried.d_input[kCell * state() + i] = dc * in * (1 - cell * cell);
    carried.d_input[kOutput * state() + i] = dh * bent * out * (1 - out);
    carried.d_c[i] = dc * forget;
    carried.d_h[i] = 0;
  }
  carried.d_state = carried.d_input;
}

void HostLayer::gru_step_back(const LayerForward& forward, int t, Carried& carried) const {
  const Step now(forward.reserve, *this, t);
  for (std::size_t i = 0; i < state(); ++i) {
    const float r = now.gate[kReset][i];
    const float z = now.gate[kUpdate][i];
    const float n = now.gate[kNew][i];
    const float dh = carried.d_h[i];
    const float dn = dh * (1 - z) * (1 - n * n);
    const float dz = dh * (h_before(forward, t, i) - n) * z * (1 - z);
    const float dr = dn * now.extra[i] * r * (1 - r);
    for (auto* sums : {&carried.d_input, &carried.d_state}) {
      (*sums)[kReset * state() + i] = dr;
      (*sums)[kUpdate * state() + i] = dz;
    }
    carried.d_input[kNew * state() + i] = dn;
    carried.d_state[kNew * state() + i] = dn * r;
    carried.d_h[i] = dh * z;
  }
}

void HostLayer::products_back(const LayerForward& forward, const LayerBackward& call, int t,
                              Carried& carried) const {
  const std::size_t h = shape_.hidden;
  const std::size_t width = shape_.input;
  const Array weights = at(forward.weights);
  std::vector<float> dx(static_cast<std::size_t>(shape_.batch) * width);
  for (int g = 0; g < gates(); ++g) {
    for (std::size_t i = 0; i < state(); ++i) {
      const std::size_t b = i / h;
      const std::size_t j = i % h;
      const float d_input = carried.d_input[g * state() + i];
      const float d_state = carried.d_state[g * state() + i];
      carried.weights[places_.bias_ih[g] + j] += d_input;
      carried.weights[places_.bias_hh[g] + j] += d_state;
      for (std::size_t k = 0; k < width; ++k) {
        const std::size_t weight = places_.weight_ih[g] + j * width + k;
        dx[b * width + k] += d_input * weights.get(weight);
        carried.weights[weight] += d_input * at(forward.x).get(place(t, b) * width + k);
      }
      for (std::size_t k = 0; k < h; ++k) {
        const std::size_t weight = places_.weight_hh[g] + j * h + k;
        carried.d_h[b * h + k] += d_state * weights.get(weight);
        carried.weights[weight] += d_state * h_before(forward, t, b * h + k);
      }
    }
  }
  for (std::size_t i = 0; i < dx.size(); ++i) at(call.d_x).set(t * dx.size() + i, dx[i]);
}

void HostLayer::backward(const LayerForward& forward, const LayerBackward& call) const {
  const bool lstm = shape_.cell == CellKind::kLstm;
  const std::size_t gate_floats = static_cast<std::size_t>(gates()) * state();
  Carried carried{std::vector<float>(state()), std::vector<float>(lstm ? state() : 0),
                  std::vector<float>(gate_floats), std::vector<float>(gate_floats),
                  std::vector<float>(places_.total)};
  for (std::size_t i = 0; i < carried.d_c.size(); ++i) carried.d_c[i] = at(call.d_last_c).get(i);
  for (int t = shape_.steps - 1; t >= 0; --t) {
    for (std::size_t i = 0; i < state(); ++i) {
      carried.d_h[i] += at(call.d_y).get(t * state() + i);
    }
    if (lstm) {
      lstm_step_back(forward, t, carried);
    } else {
      gru_step_back(forward, t, carried);
    }
    products_back(forward, call, t, carried);
  }
  for (std::size_t i = 0; i < state(); ++i) at(call.d_first_h).set(i, carried.d_h[i]);
  for (std::size_t i = 0; i < carried.d_c.size(); ++i) at(call.d_first_c).set(i, carried.d_c[i]);
  for (std::size_t i = 0; i < places_.total; ++i) {
    at(call.d_weights).set(i, at(call.d_weights).get(i) + carried.weights[i]);
  }
}

}  // namespace traind::cuda
