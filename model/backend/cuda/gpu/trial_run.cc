#include "model/backend/cuda/gpu/trial_run.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace traind::cuda {
namespace {

// Even numbers from -scale to scale, always the same ones.
std::vector<char> numbers(Type type, std::size_t count, float scale) {
  std::vector<char> bytes(count * size_of(type));
  const Array array{bytes.data(), type, 0};
  std::uint64_t state = count;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;  // Knuth's MMIX generator
    const auto draw = static_cast<float>(state >> 40) * (1.0f / 16777216.0f);
    array.set(i, scale * (2 * draw - 1));
  }
  return bytes;
}

// Calls visit(place in the layer's own layout, place in our order, elements) for all parameters.
template <class Visit>
std::size_t each_parameter(const Layer::Places& places, const LayerShape& shape, Visit visit) {
  const auto hidden = static_cast<std::size_t>(shape.hidden);
  const auto input = static_cast<std::size_t>(shape.input);
  std::size_t at = 0;
  const auto next = [&](std::size_t place, std::size_t count) {
    visit(place, at, count);
    at += count;
  };
  for (std::size_t gate = 0; gate < static_cast<std::size_t>(gates_of(shape.cell)); ++gate) {
    next(places.weight_ih[gate], hidden * input);
    next(places.weight_hh[gate], hidden * hidden);
    next(places.bias_ih[gate], hidden);
    next(places.bias_hh[gate], hidden);
  }
  return at;
}

std::size_t parameter_count(const Layer::Places& places, const LayerShape& shape) {
  return each_parameter(places, shape, [](std::size_t, std::size_t, std::size_t) {});
}

void* data_of(const std::unique_ptr<Scratch>& memory) { return memory ? memory->data() : nullptr; }

double part_distance(std::vector<char> part, std::vector<char> reference, Type type) {
  const Array one{part.data(), type, 0};
  const Array other{reference.data(), type, 0};
  double off = 0;
  double size = 0;
  for (std::size_t i = 0; i < part.size() / size_of(type); ++i) {
    const double expected = other.get(i);
    const double difference = one.get(i) - expected;
    off += difference * difference;
    size += expected * expected;
  }
  return off == 0 ? 0 : std::sqrt(off / size);
}

}  // namespace

double distance(const Outcome& outcome, const Outcome& reference, Type type) {
  double farthest = 0;
  for (std::size_t i = 0; i < outcome.size(); ++i) {
    const double off = part_distance(outcome[i], reference[i], type);
    if (!(off <= farthest)) farthest = off;
    if (std::isnan(off)) break;
  }
  return farthest;
}

TrialRun::TrialRun(Context& context, const LayerShape& shape)
    : context_(context),
      shape_(shape),
      type_(compute_type(context.options().precision)),
      places_(static_cast<std::size_t>(shape.steps) * static_cast<std::size_t>(shape.batch)),
      state_(static_cast<std::size_t>(shape.batch) * static_cast<std::size_t>(shape.hidden)),
      has_c_(shape.cell == CellKind::kLstm) {
  const auto hidden = static_cast<std::size_t>(shape.hidden);
  const auto width = static_cast<std::size_t>(shape.input);
  x_ = input(places_ * width, 1);
  first_h_ = input(state_, 0.5f);
  y_ = output(places_ * hidden);
  if (has_c_) {
    first_c_ = input(state_, 0.5f);
    last_c_ = output(state_);
  }
  if (!shape.training) return;
  d_y_ = input(places_ * hidden, 1);
  d_x_ = output(places_ * width);
  d_first_h_ = output(state_);
  if (!has_c_) return;
  d_last_c_ = input(state_, 1);
  d_first_c_ = output(state_);
}

std::unique_ptr<Scratch> TrialRun::input(std::size_t elements, float scale) {
  const std::vector<char> values = numbers(type_, elements, scale);
  auto memory = std::make_unique<Scratch>(context_, values.size());
  put(*memory, values);
  return memory;
}

std::unique_ptr<Scratch> TrialRun::output(std::size_t elements) {
  return std::make_unique<Scratch>(context_, elements * size_of(type_));
}

void TrialRun::poison(const Scratch& memory, std::size_t elements) {
  constexpr int kNotANumber = 0xFF;
  context_.check(
      cudaMemsetAsync(memory.data(), kNotANumber, elements * size_of(type_), context_.stream()),
      "cudaMemsetAsync");
}

void TrialRun::prepare(const Rnn& rnn, const Layer::Places& places) {
  // The memory of the last one goes first.
  for (auto* memory : {&weights_, &d_weights_, &workspace_, &reserve_}) memory->reset();
  weight_bytes_ = rnn.weight_bytes();
  weights_ = std::make_unique<Scratch>(context_, weight_bytes_);
  workspace_ = std::make_unique<Scratch>(context_, rnn.workspace_bytes());
  // As large as torch.nn begins with, so that gates are used where they bend.
  const float scale = 1 / std::sqrt(static_cast<float>(shape_.hidden));
  const std::vector<char> ours = numbers(type_, parameter_count(places, shape_), scale);
  std::vector<char> theirs(weight_bytes_);
  each_parameter(places, shape_, [&](std::size_t to, std::size_t from, std::size_t count) {
    std::memcpy(theirs.data() + to * size_of(type_), ours.data() + from * size_of(type_),
                count * size_of(type_));
  });
  put(*weights_, theirs);
  const auto hidden = static_cast<std::size_t>(shape_.hidden);
  poison(*y_, places_ * hidden);
  if (has_c_) poison(*last_c_, state_);
  if (!shape_.training) return;
  d_weights_ = std::make_unique<Scratch>(context_, weight_bytes_);
  reserve_ = std::make_unique<Scratch>(context_, rnn.reserve_bytes());
  poison(*d_x_, places_ * static_cast<std::size_t>(shape_.input));
  poison(*d_first_h_, state_);
  if (has_c_) poison(*d_first_c_, state_);
}

RnnAnswer TrialRun::queue(const Rnn& rnn) {
  LayerForward forward;
  forward.x = x_->data();
  forward.y = y_->data();
  forward.first_h = first_h_->data();
  forward.first_c = data_of(first_c_);
  forward.last_c = data_of(last_c_);
  forward.weights = weights_->data();
  forward.workspace = workspace_->data();
  forward.reserve = data_of(reserve_);
  const RnnAnswer answer = rnn.forward(forward);
  if (!answer.fine() || !shape_.training) return answer;
  context_.check(cudaMemsetAsync(d_weights_->data(), 0, weight_bytes_, context_.stream()),
                 "cudaMemsetAsync");
  LayerBackward backward;
  backward.d_y = d_y_->data();
  backward.d_last_c = data_of(d_last_c_);
  backward.d_x = d_x_->data();
  backward.d_first_h = d_first_h_->data();
  backward.d_first_c = data_of(d_first_c_);
  backward.d_weights = d_weights_->data();
  return rnn.backward(forward, backward);
}

// In the stream: a copy outside of it could still be under way when the stream's work begins.
void TrialRun::put(const Scratch& memory, const std::vector<char>& bytes) {
  context_.check(cudaMemcpyAsync(memory.data(), bytes.data(), bytes.size(), cudaMemcpyHostToDevice,
                                 context_.stream()),
                 "cudaMemcpyAsync to the device");
  context_.check(cudaStreamSynchronize(context_.stream()), "cudaStreamSynchronize");
}

std::vector<char> TrialRun::bytes_of(const Scratch& memory, std::size_t elements) {
  std::vector<char> bytes(elements * size_of(type_));
  context_.check(cudaMemcpyAsync(bytes.data(), memory.data(), bytes.size(), cudaMemcpyDeviceToHost,
                                 context_.stream()),
                 "cudaMemcpyAsync to the host");
  context_.check(cudaStreamSynchronize(context_.stream()), "cudaStreamSynchronize");
  return bytes;
}

Outcome TrialRun::read(const Layer::Places& places) {
  Outcome outcome;
  outcome.push_back(bytes_of(*y_, places_ * static_cast<std::size_t>(shape_.hidden)));
  if (has_c_) outcome.push_back(bytes_of(*last_c_, state_));
  if (!shape_.training) return outcome;
  outcome.push_back(bytes_of(*d_x_, places_ * static_cast<std::size_t>(shape_.input)));
  outcome.push_back(bytes_of(*d_first_h_, state_));
  if (has_c_) outcome.push_back(bytes_of(*d_first_c_, state_));
  const std::vector<char> theirs = bytes_of(*d_weights_, weight_bytes_ / size_of(type_));
  std::vector<char> ours(parameter_count(places, shape_) * size_of(type_));
  each_parameter(places, shape_, [&](std::size_t from, std::size_t to, std::size_t count) {
    std::memcpy(ours.data() + to * size_of(type_), theirs.data() + from * size_of(type_),
                count * size_of(type_));
  });
  outcome.push_back(std::move(ours));
  return outcome;
}

}  // namespace traind::cuda
