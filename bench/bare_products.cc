#include "bench/bare_products.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "model/backend/cpu/engine.h"
#include "model/base/philox.h"

namespace traind {
namespace {

using cpu::Lane;
using cpu::Range;

constexpr int kGates = 4;

// Values do not matter, as long as they are numbers.
void fill(float* values, std::size_t count) {
  RandomStream random(1, RandomUse::kSample);
  for (std::size_t i = 0; i < count; ++i) values[i] = 0.1f * (random.uniform() - 0.5f);
}

}  // namespace

struct BareProducts::Work {
  // Weights of one layer, packed for x W^T and for dy W.
  struct Layer {
    int input = 0;
    std::vector<float> weight_ih, weight_hh;  // also what the gradients are added to
    const void* packs[4] = {};
  };

  Work(const ProductShape& products, Precision precision, int threads)
      : shape(products),
        engine(threads,
               precision == Precision::kBf16 ? cpu::InstructionSet::kAvx512Bf16
                                             : cpu::InstructionSet::kBest,
               false),
        bytes(engine.kernels.round_bytes),
        rows(shape.batch * shape.steps),
        hidden(cpu::padded(shape.hidden)),
        widest(static_cast<std::size_t>(std::max(hidden, cpu::padded(shape.embedding)))) {
    if (precision != Precision::kBf16 && precision != Precision::kFp32) {
      throw Error(ErrorKind::kDevice, "bare products are in float32 or bfloat16");
    }
    memory = cpu::lend(engine.arena, *this);
    fill(gates, std::size_t{kGates} * rows * hidden);
    fill(outputs, rows * widest);
    fill(logits, static_cast<std::size_t>(rows) * shape.words);
    for (int r = 0; r < rows; ++r) {
      const std::size_t at = r * widest;
      engine.kernels.round(static_cast<int>(widest), outputs + at, inputs + at * bytes);
    }
    make_layers();
  }

  void lay_out(cpu::Carver& carver) {
    const auto all = static_cast<std::size_t>(rows);
    gates = carver.floats(kGates * all * hidden);
    inputs = carver.take<char>(all * widest * bytes);
    outputs = carver.floats(all * widest);
    logits = carver.floats(all * shape.words);
    lane_floats = engine.kernels.outer_scratch(kGates * hidden);
    scratch = carver.floats(lane_floats * engine.team.size());
  }

  void make_layers() {
    layers.resize(2 * static_cast<std::size_t>(shape.layers));
    for (std::size_t i = 0; i < layers.size(); ++i) {
      Layer& layer = layers[i];
      layer.input = i % shape.layers == 0 ? shape.embedding : shape.hidden;
      const std::size_t gate_rows = std::size_t{kGates} * hidden;
      layer.weight_ih.resize(gate_rows * layer.input);
      layer.weight_hh.resize(gate_rows * hidden);
      fill(layer.weight_ih.data(), layer.weight_ih.size());
      fill(layer.weight_hh.data(), layer.weight_hh.size());
      const auto pack = [&](const std::vector<float>& weight, int cols, bool forward) {
        const int all = kGates * hidden;
        return engine.packs.packed(forward ? cpu::forward_form(weight.data(), all, cols)
                                           : cpu::backward_form(weight.data(), all, cols));
      };
      layer.packs[0] = pack(layer.weight_ih, layer.input, true);
      layer.packs[1] = pack(layer.weight_hh, hidden, true);
      layer.packs[2] = pack(layer.weight_ih, layer.input, false);
      layer.packs[3] = pack(layer.weight_hh, hidden, false);
    }
    output_weight.resize(static_cast<std::size_t>(shape.words) * hidden);
    fill(output_weight.data(), output_weight.size());
    output_packs[0] =
        engine.packs.packed(cpu::forward_form(output_weight.data(), shape.words, hidden));
    output_packs[1] =
        engine.packs.packed(cpu::backward_form(output_weight.data(), shape.words, hidden));
  }

  const void* input_row(int row) const { return inputs + row * widest * bytes; }
  float* gate_row(int row) const { return gates + std::size_t{kGates} * row * hidden; }
  std::size_t gate_stride() const { return std::size_t{kGates} * hidden * sizeof(float) / bytes; }

  // Step by step, inputs and state, as sentences [begin, end) of a lane go.
  void forward(const Layer& layer, Range sentences) const {
    const std::size_t stride = std::size_t{kGates} * hidden;
    for (int t = 0; t < shape.steps; ++t) {
      const int row = t * shape.batch + sentences.begin;
      const int all = kGates * hidden;
      engine.kernels.multiply({sentences.size(), all, layer.input, input_row(row), widest,
                               layer.packs[0], gate_row(row), stride, false, true});
      engine.kernels.multiply({sentences.size(), all, hidden, input_row(row), widest,
                               layer.packs[1], gate_row(row), stride, true, true});
    }
  }

  void backward(const Lane& lane, const Layer& layer, Range sentences) const {
    for (int t = shape.steps - 1; t >= 0; --t) {
      const int row = t * shape.batch + sentences.begin;
      engine.kernels.multiply({sentences.size(), hidden, kGates * hidden, gate_row(row),
                               gate_stride(), layer.packs[3], outputs + row * widest, widest, false,
                               true});
    }
    lane.wait_for_all();
    const Range mine = lane.share(rows, 6);
    engine.kernels.multiply({mine.size(), layer.input, kGates * hidden, gate_row(mine.begin),
                             gate_stride(), layer.packs[2], outputs + mine.begin * widest, widest,
                             false, true});
  }

  // The gradient of a weight [rows,cols], whose rows are the columns of `a`.
  void outer(const Lane& lane, std::vector<float>& weight, int cols, int weight_rows, const void* a,
             std::size_t a_stride, bool rounded) {
    const Range mine = lane.share(weight_rows, 6);
    const std::size_t element = rounded ? bytes : sizeof(float);
    engine.kernels.multiply_outer(
        {mine.size(), cols, rows, static_cast<const char*>(a) + mine.begin * element, a_stride,
         inputs, widest, weight.data() + static_cast<std::size_t>(mine.begin) * cols,
         static_cast<std::size_t>(cols), scratch + lane.index() * lane_floats, rounded, true});
  }

  void output_layer(const Lane& lane) {
    const Range mine = lane.share(rows, 6);
    const auto words = static_cast<std::size_t>(shape.words);
    engine.kernels.multiply({mine.size(), shape.words, hidden, input_row(mine.begin), widest,
                             output_packs[0], logits + mine.begin * words, words, false, true});
    engine.kernels.multiply({mine.size(), hidden, shape.words, logits + mine.begin * words, words,
                             output_packs[1], outputs + mine.begin * widest, widest});
    lane.wait_for_all();
    outer(lane, output_weight, hidden, shape.words, logits, words, false);
  }

  void step(const Lane& lane) {
    const Range sentences = lane.share(shape.batch);
    for (const Layer& layer : layers) {
      forward(layer, sentences);
      lane.wait_for_all();
    }
    output_layer(lane);
    for (Layer& layer : layers) {
      backward(lane, layer, sentences);
      lane.wait_for_all();
      outer(lane, layer.weight_ih, layer.input, kGates * hidden, gates, gate_stride(), true);
      outer(lane, layer.weight_hh, hidden, kGates * hidden, gates, gate_stride(), true);
      lane.wait_for_all();
    }
  }

  double gflop() const {
    double each = static_cast<double>(shape.words) * hidden;
    for (const Layer& layer : layers) each += double{kGates} * hidden * (layer.input + hidden);
    return 3 * 2e-9 * rows * each;
  }

  ProductShape shape;
  cpu::Engine engine;
  std::size_t bytes;         // of an operand
  int rows;                  // T*B
  int hidden;                // padded
  std::size_t widest;        // floats of a row of inputs or of their gradients
  float* gates = nullptr;    // [rows,4*Hp]
  char* inputs = nullptr;    // [rows,widest] operands
  float* outputs = nullptr;  // [rows,widest]
  float* logits = nullptr;   // [rows,V]
  float* scratch = nullptr;  // [threads][lane_floats]
  std::size_t lane_floats = 0;
  std::vector<Layer> layers;
  std::vector<float> output_weight;
  const void* output_packs[2] = {};
  cpu::Lease memory;
};

BareProducts::BareProducts(const ProductShape& shape, Precision precision, int threads)
    : work_(std::make_unique<Work>(shape, precision, threads)) {}

BareProducts::~BareProducts() = default;

double BareProducts::run() {
  const auto start = std::chrono::steady_clock::now();
  work_->engine.team.run(work_->engine.team.size(), [&](const Lane& lane) { work_->step(lane); });
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double BareProducts::gflop() const { return work_->gflop(); }

}  // namespace traind
