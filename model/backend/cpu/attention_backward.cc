#include <cstring>

#include "model/backend/cpu/attention.h"

namespace traind::cpu {
namespace {

struct Backward {
  const Kernels& kernels;
  const AttentionBackward& call;
  AttentionTape& tape;
  int lanes = 1;
  float* d_sums = nullptr;       // [rows,M] before the tanh
  float* d_joined = nullptr;     // [rows,2M]
  float* d_shares = nullptr;     // [rows,S]
  float* d_projected = nullptr;  // [rows,M]
  float* scratch = nullptr;      // [lanes][scratch_floats]
  std::size_t scratch_floats = 0;
  const void* score = nullptr;    // packed W_a^T
  const void* combine = nullptr;  // packed W_c

  void lay_out(Carver& carver) {
    const std::size_t rows = tape.rows;
    const int most = tape.width / lanes + 12;
    scratch_floats = kernels.outer_scratch(most > tape.memory_steps ? most : tape.memory_steps);
    d_sums = carver.floats(rows * tape.width);
    d_joined = carver.floats(rows * tape.width * 2);
    d_shares = carver.floats(rows * tape.share_stride());
    d_projected = carver.floats(rows * tape.width);
    scratch = carver.floats(scratch_floats * lanes);
  }
  void run(const Lane& lane);
  void gather(int b);
  void attend_back(int b, float* lane_scratch);
  void softmax_back(int row, int length);
  void scatter(int b);
  void weight_gradients(const Lane& lane);
};

void Backward::run(const Lane& lane) {
  const std::size_t m = tape.width;
  const Range mine = lane.share(tape.batch);
  const std::size_t first = tape.start[mine.begin];
  const int rows = tape.start[mine.end] - tape.start[mine.begin];
  for (int b = mine.begin; b < mine.end; ++b) gather(b);
  kernels.tanh_back(rows * tape.width, tape.outputs + first * m, d_sums + first * m);
  kernels.multiply({rows, 2 * tape.width, tape.width, d_sums + first * m, m, combine,
                    d_joined + first * 2 * m, 2 * m, false});
  float* lane_scratch = scratch + lane.index() * scratch_floats;
  for (int b = mine.begin; b < mine.end; ++b) attend_back(b, lane_scratch);
  kernels.multiply({rows, tape.width, tape.width, d_projected + first * m, m, score,
                    d_joined + first * 2 * m + m, 2 * m, true});
  for (int b = mine.begin; b < mine.end; ++b) scatter(b);
  lane.wait_for_all();
  weight_gradients(lane);
}

void Backward::gather(int b) {
  const std::size_t m = tape.width;
  for (int r = tape.start[b]; r < tape.start[b + 1]; ++r) {
    const std::size_t from = static_cast<std::size_t>(r - tape.start[b]) * tape.batch + b;
    std::memcpy(d_sums + r * m, call.d_output.data + from * m, sizeof(float) * m);
  }
}

void Backward::attend_back(int b, float* lane_scratch) {
  const std::size_t m = tape.width;
  const std::size_t stride = tape.share_stride();
  const std::size_t first = tape.start[b];
  const int rows = tape.start[b + 1] - tape.start[b];
  const int length = tape.memory_lengths[b];
  const float* d_context = d_joined + first * 2 * m;
  float* d_share = d_shares + first * stride;
  kernels.multiply({rows, length, tape.width, d_context, 2 * m,
                    tape.across + tape.across_floats() * b, d_share, stride, false});
  for (int r = tape.start[b]; r < tape.start[b + 1]; ++r) softmax_back(r, length);
  kernels.multiply({rows, tape.width, length, d_share, stride, tape.along + tape.along_floats() * b,
                    d_projected + first * m, m, false});

  float* d_memory = call.d_memory.data + b * m;
  const std::size_t d_memory_stride = static_cast<std::size_t>(tape.batch) * m;
  for (int s = 0; s < tape.memory_steps; ++s) {
    std::memset(d_memory + s * d_memory_stride, 0, sizeof(float) * m);
  }
  kernels.multiply_outer({length, tape.width, rows, tape.shares + first * stride, stride, d_context,
                          2 * m, d_memory, d_memory_stride, lane_scratch});
  kernels.multiply_outer({length, tape.width, rows, d_share, stride, tape.projected + first * m, m,
                          d_memory, d_memory_stride, lane_scratch});
}

// d_score = a (d_a - sum a d_a)
void Backward::softmax_back(int row, int length) {
  const float* share = tape.shares + row * tape.share_stride();
  float* d = d_shares + row * tape.share_stride();
  const float mean = kernels.dot(length, share, d);
  for (int s = 0; s < length; ++s) d[s] = share[s] * (d[s] - mean);
}

void Backward::scatter(int b) {
  const std::size_t m = tape.width;
  const int length = tape.start[b + 1] - tape.start[b];
  for (int t = 0; t < tape.steps; ++t) {
    float* to = call.d_query.data + (static_cast<std::size_t>(t) * tape.batch + b) * m;
    if (t < length) {
      const std::size_t row = static_cast<std::size_t>(tape.start[b]) + t;
      std::memcpy(to, d_joined + (2 * row + 1) * m, sizeof(float) * m);
    } else {
      std::memset(to, 0, sizeof(float) * m);
    }
  }
}

void Backward::weight_gradients(const Lane& lane) {
  const std::size_t m = tape.width;
  const Range mine = lane.share(tape.width, 6);
  float* lane_scratch = scratch + lane.index() * scratch_floats;
  const std::size_t row = mine.begin;
  kernels.multiply_outer({mine.size(), 2 * tape.width, tape.rows, d_sums + row, m, tape.joined,
                          2 * m, call.gradients->combine.data + row * 2 * m, 2 * m, lane_scratch});
  kernels.multiply_outer({mine.size(), tape.width, tape.rows, tape.joined + m + row, 2 * m,
                          d_projected, m, call.gradients->score.data + row * m, m, lane_scratch});
}

}  // namespace

void attention_backward(Engine& engine, const AttentionWeights& weights,
                        const AttentionBackward& call, Tape& any_tape) {
  auto* tape = dynamic_cast<AttentionTape*>(&any_tape);
  require(tape != nullptr, "attention_backward: the tape comes from another call");
  check_attention_backward(call, {tape->steps, tape->memory_steps, tape->batch, tape->width});
  const std::size_t m = tape->width;
  Backward backward{engine.kernels, call, *tape};
  const double operations =
      tape->rows * static_cast<double>(m) * (12.0 * tape->width + 8.0 * tape->memory_steps);
  backward.lanes = engine.team.lanes_for(operations);
  const Lease workspace = lend(engine.arena, backward);
  backward.score = engine.packs.packed(forward_form(weights.score.data, tape->width, tape->width));
  backward.combine =
      engine.packs.packed(backward_form(weights.combine.data, tape->width, 2 * tape->width));
  engine.team.run(backward.lanes, [&](const Lane& lane) { backward.run(lane); });
}

}  // namespace traind::cpu
