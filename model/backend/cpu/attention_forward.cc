#include <cstring>

#include "model/backend/cpu/attention.h"

namespace traind::cpu {

void AttentionTape::lay_out(Carver& carver) {
  const std::size_t most = static_cast<std::size_t>(steps) * batch;
  start = carver.take<std::int32_t>(static_cast<std::size_t>(batch) + 1);
  memory_lengths = carver.take<std::int32_t>(static_cast<std::size_t>(batch));
  projected = carver.floats(most * width);
  shares = carver.floats(most * share_stride());
  joined = carver.floats(most * width * 2);
  outputs = carver.floats(most * width);
  across = carver.floats(across_floats() * batch);
  along = carver.floats(along_floats() * batch);
}

namespace {

struct Forward {
  const Kernels& kernels;
  const AttentionForward& call;
  AttentionTape& tape;
  const void* score = nullptr;    // packed W_a
  const void* combine = nullptr;  // packed W_c^T

  void run(const Lane& lane);
  void attend(int b);
  void pack_memory(int b, bool transposed, float* packed);
  void put_output(int b);
};

void Forward::run(const Lane& lane) {
  const std::size_t m = tape.width;
  const Range mine = lane.share(tape.batch);
  const std::size_t first = tape.start[mine.begin];
  const int rows = tape.start[mine.end] - tape.start[mine.begin];
  float* joined = tape.joined + first * 2 * m;
  for (int b = mine.begin; b < mine.end; ++b) {
    for (int r = tape.start[b]; r < tape.start[b + 1]; ++r) {
      const std::size_t from = static_cast<std::size_t>(r - tape.start[b]) * tape.batch + b;
      const std::size_t row = r;
      std::memcpy(tape.joined + (2 * row + 1) * m, call.query.data + from * m, sizeof(float) * m);
    }
  }
  kernels.multiply({rows, tape.width, tape.width, joined + m, 2 * m, score,
                    tape.projected + first * m, m, false});
  for (int b = mine.begin; b < mine.end; ++b) attend(b);
  kernels.multiply({rows, tape.width, 2 * tape.width, joined, 2 * m, combine,
                    tape.outputs + first * m, m, false});
  kernels.tanh(rows * tape.width, tape.outputs + first * m);
  for (int b = mine.begin; b < mine.end; ++b) put_output(b);
}

void Forward::pack_memory(int b, bool transposed, float* packed) {
  const int length = tape.memory_lengths[b];
  const PackSource source{call.memory.data + static_cast<std::size_t>(b) * tape.width,
                          static_cast<std::size_t>(tape.batch) * tape.width,
                          1,
                          length,
                          length,
                          tape.width,
                          transposed};
  kernels.pack(source, 0, (source.width() + kernels.panel - 1) / kernels.panel, packed);
}

void Forward::attend(int b) {
  const std::size_t m = tape.width;
  const std::size_t first = tape.start[b];
  const int rows = tape.start[b + 1] - tape.start[b];
  const int length = tape.memory_lengths[b];
  float* across = tape.across + tape.across_floats() * b;
  float* along = tape.along + tape.along_floats() * b;
  float* shares = tape.shares + first * tape.share_stride();
  pack_memory(b, true, across);
  pack_memory(b, false, along);
  kernels.multiply({rows, length, tape.width, tape.projected + first * m, m, across, shares,
                    tape.share_stride(), false});
  for (int r = 0; r < rows; ++r) {
    SoftmaxRow row;
    row.words = length;
    row.logits = shares + r * tape.share_stride();
    kernels.softmax(row);
    kernels.scale(length, 1.0f / row.sum, row.logits);
  }
  kernels.multiply({rows, tape.width, length, shares, tape.share_stride(), along,
                    tape.joined + first * 2 * m, 2 * m, false});
}

void Forward::put_output(int b) {
  const std::size_t m = tape.width;
  const int length = tape.start[b + 1] - tape.start[b];
  for (int t = 0; t < tape.steps; ++t) {
    float* to = call.output.data + (static_cast<std::size_t>(t) * tape.batch + b) * m;
    if (t < length) {
      std::memcpy(to, tape.outputs + (static_cast<std::size_t>(tape.start[b]) + t) * m,
                  sizeof(float) * m);
    } else {
      std::memset(to, 0, sizeof(float) * m);
    }
  }
}

}  // namespace

std::unique_ptr<Tape> attention_forward(Engine& engine, const AttentionWeights& weights,
                                        const AttentionForward& call) {
  check_attention_forward(weights, call);
  std::unique_ptr<AttentionTape> tape(new (engine.arena) AttentionTape);
  tape->steps = call.query_steps;
  tape->memory_steps = call.memory_steps;
  tape->batch = static_cast<int>(call.lengths.size());
  tape->width = call.width;
  tape->memory = lend(engine.arena, *tape);
  for (int b = 0; b < tape->batch; ++b) {
    tape->memory_lengths[b] = call.lengths[static_cast<std::size_t>(b)];
    tape->start[b] = tape->rows;
    tape->rows += call.query_lengths[static_cast<std::size_t>(b)];
  }
  tape->start[tape->batch] = tape->rows;

  const int m = call.width;
  Forward forward{engine.kernels, call, *tape,
                  engine.packs.packed(backward_form(weights.score.data, m, m)),
                  engine.packs.packed(forward_form(weights.combine.data, m, 2 * m))};
  const double operations =
      tape->rows * static_cast<double>(m) * (6.0 * m + 4.0 * tape->memory_steps);
  engine.team.run(engine.team.lanes_for(operations), [&](const Lane& lane) { forward.run(lane); });
  if (!call.training) return nullptr;
  return tape;
}

}  // namespace traind::cpu
