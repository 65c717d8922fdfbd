// oneDNN's LSTM primitive alone: what a library call makes of the four layers of the model, with
// no embedding, output layer, loss, dropout or update around them.
//
//   onednn_lstm [--hidden H] [--batch B] [--steps T] [--bf16] [--repeat N] > result.json
//
// One primitive a layer, as PyTorch calls it (2.x sends nn.LSTM on a CPU here). The encoder's
// layers run upwards, then the decoder's from the encoder's last states, then all backward; every
// layer has weights and a workspace of its own, and I = H. Timed are the primitives; bringing the
// weights into the layout they want is told apart. Threads: OMP_NUM_THREADS.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "bench/samples.h"

namespace traind {
namespace {

using dnnl::memory;
using Clock = std::chrono::steady_clock;
using Arguments = std::unordered_map<int, memory>;

constexpr int kGates = 4;
constexpr int kLayers = 4;  // two of the encoder, two of the decoder

struct Options {
  int hidden = 512;
  int batch = 128;
  int steps = 40;
  bool bf16 = false;
  int repeat = 3;
};

// The primitives of one layer and what they compute with; the same for all layers.
struct Primitives {
  Primitives(const Options& options, const dnnl::engine& engine);

  dnnl::engine engine;
  // Activations [T,B,H] and states [1,1,B,H], and gradients, which are float32 in either case.
  memory::desc sequence, state, cell, d_sequence, d_state, bias;
  memory::desc plain_weights;  // float32 [1,1,I,4,H], as a framework holds them
  dnnl::lstm_forward::primitive_desc forward;
  dnnl::lstm_backward::primitive_desc backward;
};

dnnl::lstm_forward::primitive_desc forward_of(const Primitives& p, const memory::desc& weights) {
  const dnnl::lstm_forward::desc what(
      dnnl::prop_kind::forward_training, dnnl::rnn_direction::unidirectional_left2right, p.sequence,
      p.state, p.cell, weights, weights, p.bias, p.sequence, p.state, p.cell);
  return {what, p.engine};
}

dnnl::lstm_backward::primitive_desc backward_of(const Primitives& p, const memory::desc& weights,
                                                const memory::desc& d_weights) {
  const dnnl::lstm_backward::desc what(
      dnnl::prop_kind::backward, dnnl::rnn_direction::unidirectional_left2right, p.sequence,
      p.state, p.cell, weights, weights, p.bias, p.sequence, p.state, p.cell, p.d_sequence,
      p.d_state, p.d_state, d_weights, d_weights, p.bias, p.d_sequence, p.d_state, p.d_state);
  return {what, p.engine, p.forward};
}

Primitives::Primitives(const Options& options, const dnnl::engine& on) : engine(on) {
  using Tag = memory::format_tag;
  const auto type = options.bf16 ? memory::data_type::bf16 : memory::data_type::f32;
  const auto f32 = memory::data_type::f32;
  const memory::dim hidden = options.hidden;
  const memory::dims tokens = {options.steps, options.batch, hidden};
  const memory::dims sentences = {1, 1, options.batch, hidden};
  const memory::dims weights = {1, 1, hidden, kGates, hidden};
  sequence = {tokens, type, Tag::tnc};
  d_sequence = {tokens, f32, Tag::tnc};
  state = {sentences, type, Tag::ldnc};
  cell = {sentences, f32, Tag::ldnc};
  d_state = cell;
  bias = {{1, 1, kGates, hidden}, f32, Tag::ldgo};
  plain_weights = {weights, f32, Tag::ldigo};
  forward = forward_of(*this, {weights, type, Tag::any});
  backward = backward_of(*this, {weights, type, Tag::any}, {weights, f32, Tag::any});
}

// Small values of both signs; the same every time.
memory filled(const memory::desc& what, const dnnl::engine& engine, std::uint32_t seed) {
  memory made(what, engine);
  std::uint32_t state = seed * 2654435761U + 1;
  const auto next = [&state] {
    state = state * 1664525U + 1013904223U;
    return (static_cast<float>(state >> 8) / static_cast<float>(1 << 24) - 0.5f) * 0.2f;
  };
  if (what.data_type() == memory::data_type::f32) {
    auto* values = static_cast<float*>(made.get_data_handle());
    std::generate(values, values + what.get_size() / sizeof(float), next);
  } else {
    auto* values = static_cast<std::uint16_t*>(made.get_data_handle());
    std::generate(values, values + what.get_size() / sizeof(std::uint16_t), [&next] {
      const float value = next();
      std::uint32_t bits = 0;
      std::memcpy(&bits, &value, sizeof bits);
      return static_cast<std::uint16_t>(bits >> 16);
    });
  }
  return made;
}

memory cleared(const memory::desc& what, const dnnl::engine& engine) {
  memory made(what, engine);
  if (what.get_size() > 0) std::memset(made.get_data_handle(), 0, what.get_size());
  return made;
}

// Each layer reads the sequence below it and the state of the layer that comes before it in time.
class Layer {
 public:
  // `below` [T,B,H] and `h`, `c`, the first state, are other layers' memory or the input's.
  Layer(const Primitives& primitives, memory below, memory h, memory c, std::uint32_t seed);

  const memory& output() const { return output_; }
  const memory& last_h() const { return last_h_; }
  const memory& last_c() const { return last_c_; }

  // From the framework's layout to the two that the primitives want.
  void pack(dnnl::stream& stream);
  void unpack_gradients(dnnl::stream& stream);
  void clear_gradients();
  void forward(dnnl::stream& stream);
  void backward(dnnl::stream& stream);

 private:
  const Primitives& p_;
  dnnl::lstm_forward forward_;
  dnnl::lstm_backward backward_;
  memory below_, h_, c_, output_, last_h_, last_c_, bias_, workspace_;
  memory weight_ih_, weight_hh_;                       // float32, plain
  memory forward_ih_, forward_hh_;                     // packed
  memory backward_ih_, backward_hh_;                   // packed the other way
  memory d_below_, d_h_, d_c_, d_ih_, d_hh_, d_bias_;  // written
  memory d_output_, d_last_h_, d_last_c_;              // read
  memory plain_d_ih_, plain_d_hh_;
};

Layer::Layer(const Primitives& primitives, memory below, memory h, memory c, std::uint32_t seed)
    : p_(primitives),
      forward_(p_.forward),
      backward_(p_.backward),
      below_(std::move(below)),
      h_(std::move(h)),
      c_(std::move(c)) {
  const dnnl::engine& engine = p_.engine;
  output_ = cleared(p_.forward.dst_layer_desc(), engine);
  last_h_ = cleared(p_.forward.dst_iter_desc(), engine);
  last_c_ = cleared(p_.forward.dst_iter_c_desc(), engine);
  bias_ = filled(p_.bias, engine, seed);
  workspace_ = cleared(p_.forward.workspace_desc(), engine);
  weight_ih_ = filled(p_.plain_weights, engine, seed + 1);
  weight_hh_ = filled(p_.plain_weights, engine, seed + 2);
  forward_ih_ = cleared(p_.forward.weights_layer_desc(), engine);
  forward_hh_ = cleared(p_.forward.weights_iter_desc(), engine);
  backward_ih_ = cleared(p_.backward.weights_layer_desc(), engine);
  backward_hh_ = cleared(p_.backward.weights_iter_desc(), engine);
  d_below_ = cleared(p_.d_sequence, engine);
  d_h_ = cleared(p_.d_state, engine);
  d_c_ = cleared(p_.d_state, engine);
  d_ih_ = cleared(p_.backward.diff_weights_layer_desc(), engine);
  d_hh_ = cleared(p_.backward.diff_weights_iter_desc(), engine);
  d_bias_ = cleared(p_.bias, engine);
  d_output_ = filled(p_.d_sequence, engine, seed + 3);
  d_last_h_ = filled(p_.d_state, engine, seed + 4);
  d_last_c_ = filled(p_.d_state, engine, seed + 5);
  plain_d_ih_ = cleared(p_.plain_weights, engine);
  plain_d_hh_ = cleared(p_.plain_weights, engine);
}

void Layer::pack(dnnl::stream& stream) {
  dnnl::reorder(weight_ih_, forward_ih_).execute(stream, weight_ih_, forward_ih_);
  dnnl::reorder(weight_hh_, forward_hh_).execute(stream, weight_hh_, forward_hh_);
  dnnl::reorder(weight_ih_, backward_ih_).execute(stream, weight_ih_, backward_ih_);
  dnnl::reorder(weight_hh_, backward_hh_).execute(stream, weight_hh_, backward_hh_);
}

void Layer::unpack_gradients(dnnl::stream& stream) {
  dnnl::reorder(d_ih_, plain_d_ih_).execute(stream, d_ih_, plain_d_ih_);
  dnnl::reorder(d_hh_, plain_d_hh_).execute(stream, d_hh_, plain_d_hh_);
}

// The primitive adds to what is there.
void Layer::clear_gradients() {
  for (const memory& gradient : {d_ih_, d_hh_, d_bias_}) {
    std::memset(gradient.get_data_handle(), 0, gradient.get_desc().get_size());
  }
}

void Layer::forward(dnnl::stream& stream) {
  forward_.execute(stream, Arguments{{DNNL_ARG_SRC_LAYER, below_},
                                     {DNNL_ARG_SRC_ITER, h_},
                                     {DNNL_ARG_SRC_ITER_C, c_},
                                     {DNNL_ARG_WEIGHTS_LAYER, forward_ih_},
                                     {DNNL_ARG_WEIGHTS_ITER, forward_hh_},
                                     {DNNL_ARG_BIAS, bias_},
                                     {DNNL_ARG_DST_LAYER, output_},
                                     {DNNL_ARG_DST_ITER, last_h_},
                                     {DNNL_ARG_DST_ITER_C, last_c_},
                                     {DNNL_ARG_WORKSPACE, workspace_}});
}

void Layer::backward(dnnl::stream& stream) {
  backward_.execute(stream, Arguments{{DNNL_ARG_SRC_LAYER, below_},
                                      {DNNL_ARG_SRC_ITER, h_},
                                      {DNNL_ARG_SRC_ITER_C, c_},
                                      {DNNL_ARG_WEIGHTS_LAYER, backward_ih_},
                                      {DNNL_ARG_WEIGHTS_ITER, backward_hh_},
                                      {DNNL_ARG_BIAS, bias_},
                                      {DNNL_ARG_DST_LAYER, output_},
                                      {DNNL_ARG_DST_ITER, last_h_},
                                      {DNNL_ARG_DST_ITER_C, last_c_},
                                      {DNNL_ARG_WORKSPACE, workspace_},
                                      {DNNL_ARG_DIFF_SRC_LAYER, d_below_},
                                      {DNNL_ARG_DIFF_SRC_ITER, d_h_},
                                      {DNNL_ARG_DIFF_SRC_ITER_C, d_c_},
                                      {DNNL_ARG_DIFF_WEIGHTS_LAYER, d_ih_},
                                      {DNNL_ARG_DIFF_WEIGHTS_ITER, d_hh_},
                                      {DNNL_ARG_DIFF_BIAS, d_bias_},
                                      {DNNL_ARG_DIFF_DST_LAYER, d_output_},
                                      {DNNL_ARG_DIFF_DST_ITER, d_last_h_},
                                      {DNNL_ARG_DIFF_DST_ITER_C, d_last_c_}});
}

std::vector<std::unique_ptr<Layer>> layers_of(const Primitives& p) {
  const memory source = filled(p.sequence, p.engine, 1);
  const memory target = filled(p.sequence, p.engine, 2);
  const memory no_h = cleared(p.state, p.engine);
  const memory no_c = cleared(p.cell, p.engine);
  std::vector<std::unique_ptr<Layer>> layers;
  for (int i = 0; i < kLayers; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const bool decodes = i >= kLayers / 2;
    const memory& tokens = decodes ? target : source;
    const Layer* encoder = decodes ? layers[at - kLayers / 2].get() : nullptr;
    layers.push_back(std::make_unique<Layer>(
        p, i % (kLayers / 2) == 0 ? tokens : layers[at - 1]->output(),
        encoder != nullptr ? encoder->last_h() : no_h,
        encoder != nullptr ? encoder->last_c() : no_c, static_cast<std::uint32_t>(10 * i + 10)));
  }
  return layers;
}

struct StepTimes {
  double forward = 0;  // ms
  double backward = 0;
  double packing = 0;  // weights in, gradients out
};

StepTimes one_step(const std::vector<std::unique_ptr<Layer>>& layers, dnnl::stream& stream) {
  const auto timed = [&stream](const auto& work) {
    const Clock::time_point start = Clock::now();
    work();
    stream.wait();
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  };
  StepTimes times;
  times.packing = timed([&] {
    for (const auto& layer : layers) layer->pack(stream);
  });
  for (const auto& layer : layers) layer->clear_gradients();
  times.forward = timed([&] {
    for (const auto& layer : layers) layer->forward(stream);
  });
  times.backward = timed([&] {
    for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) (*layer)->backward(stream);
  });
  times.packing += timed([&] {
    for (const auto& layer : layers) layer->unpack_gradients(stream);
  });
  return times;
}

void run(const Options& options) {
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const Primitives primitives(options, engine);
  const auto layers = layers_of(primitives);
  one_step(layers, stream);  // kernels are made and memory is paged in
  std::vector<double> forward, backward, whole, packing;
  for (int i = 0; i < options.repeat; ++i) {
    const StepTimes times = one_step(layers, stream);
    forward.push_back(times.forward);
    backward.push_back(times.backward);
    whole.push_back(times.forward + times.backward);
    packing.push_back(times.packing);
  }
  std::printf(
      "{\"bench\": \"onednn_lstm\", \"version\": \"%d.%d.%d\", \"hidden\": %d, \"batch\": %d, "
      "\"steps\": %d, \"bf16\": %s,\n \"implementation\": \"%s\",\n \"ms_per_step\": %s,\n "
      "\"forward_ms\": %.3f, \"backward_ms\": %.3f, \"packing_ms\": %.3f}\n",
      dnnl_version()->major, dnnl_version()->minor, dnnl_version()->patch, options.hidden,
      options.batch, options.steps, options.bf16 ? "true" : "false",
      primitives.forward.impl_info_str(), samples_json(whole).c_str(), median(forward),
      median(backward), median(packing));
}

Options parse(int argc, char** argv) {
  Options options;
  const std::unordered_map<std::string, int*> numbers = {{"--hidden", &options.hidden},
                                                         {"--batch", &options.batch},
                                                         {"--steps", &options.steps},
                                                         {"--repeat", &options.repeat}};
  for (int i = 1; i < argc; ++i) {
    const auto number = numbers.find(argv[i]);
    if (std::strcmp(argv[i], "--bf16") == 0) {
      options.bf16 = true;
    } else if (number != numbers.end() && i + 1 < argc && std::atoi(argv[i + 1]) > 0) {
      *number->second = std::atoi(argv[++i]);
    } else {
      throw std::runtime_error(std::string("cannot use ") + argv[i] +
                               "; usage: onednn_lstm [--hidden H] [--batch B] [--steps T] "
                               "[--bf16] [--repeat N]");
    }
  }
  return options;
}

}  // namespace
}  // namespace traind

int main(int argc, char** argv) {
  try {
    traind::run(traind::parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "onednn_lstm: %s\n", error.what());
    return 1;
  }
  return 0;
}
