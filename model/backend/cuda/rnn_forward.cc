#include "model/backend/checks.h"
#include "model/backend/cuda/rnn.h"
#include "model/backend/cuda/rnn_tape.h"

namespace traind::cuda {
namespace {

struct Forward {
  Recorder& recorder;
  const RnnStack& stack;
  const RnnForward& call;
  const StackMemory& memory;
  const std::int32_t* ids = nullptr;      // on the device
  const std::int32_t* lengths = nullptr;  // likewise
  const DropoutKey* key = nullptr;        // likewise; null = no dropout

  void run();
  void feed(int l, int d);
  void put_weights(int l, int d);
  void start_state(int l, int d);
  void end_state(int l, int d);
  void put_output();
};

void Forward::run() {
  const StackSize& s = memory.size;
  for (int l = 0; l < s.layers; ++l) {
    for (int d = 0; d < s.directions; ++d) {
      feed(l, d);
      put_weights(l, d);
      start_state(l, d);
      const CellMemory& cell = memory.cell(l, d);
      recorder.forward(*cell.layer, memory.call_of(cell));
      end_state(l, d);
    }
  }
  put_output();
}

void Forward::feed(int l, int d) {
  const StackSize& s = memory.size;
  if (l == 0) {
    EmbeddedInput input;
    input.embedding = stack.embedding.data;
    input.ids = ids;
    input.lengths = lengths;
    input.x = memory.cell(l, d).x;
    input.steps = s.steps;
    input.batch = s.batch;
    input.width = s.width_of(l);
    input.wide = s.wide_of(l);
    input.flip = d;
    recorder.launch(input);
    return;
  }
  StackedInput input;
  for (int from = 0; from < s.directions; ++from) input.below[from] = memory.cell(l - 1, from).y;
  input.lengths = lengths;
  input.key = key;
  input.x = memory.cell(l, d).x;
  input.steps = s.steps;
  input.batch = s.batch;
  input.hidden = s.hidden;
  input.directions = s.directions;
  input.wide = s.wide_of(l);
  input.flip = d;
  input.dropout = call.dropout;
  input.site = static_cast<std::uint32_t>(l - 1);
  recorder.launch(input);
}

void Forward::put_weights(int l, int d) {
  const CellMemory& cell = memory.cell(l, d);
  const RnnCell& from = stack.cells[static_cast<std::size_t>(l) * stack.directions + d];
  WeightsIn weights;
  weights.weight_ih = from.weight_ih.data;
  weights.weight_hh = from.weight_hh.data;
  weights.bias_ih = from.bias_ih.data;
  weights.bias_hh = from.bias_hh.data;
  weights.to = cell.weights;
  weights.places = places_of(*cell.layer);
  weights.gates = gates_of(memory.size.cell);
  weights.hidden = memory.size.hidden;
  weights.width = memory.size.width_of(l);
  weights.wide = memory.size.wide_of(l);
  // What lies between the parameters is cuDNN's; it must not be what an other layer left there.
  if (cell.layer->places().total != weights.count()) {
    recorder.zero(cell.weights.data, cell.layer->places().total * size_of(memory.type));
  }
  recorder.launch(weights);
}

void Forward::start_state(int l, int d) {
  const StackSize& s = memory.size;
  const CellMemory& cell = memory.cell(l, d);
  StateIn state;
  state.batch = s.batch;
  state.hidden = s.hidden;
  state.memory = s.memory();
  state.state = call.initial.h ? call.initial.h.data + s.column(l, d) : nullptr;
  state.to = cell.first_h;
  recorder.launch(state);
  if (!s.has_c()) return;
  state.state = call.initial.c ? call.initial.c.data + s.column(l, d) : nullptr;
  state.to = cell.first_c;
  recorder.launch(state);
}

void Forward::end_state(int l, int d) {
  const StackSize& s = memory.size;
  const CellMemory& cell = memory.cell(l, d);
  if (call.last.h) {
    LastOutput last;
    last.y = cell.y;
    last.lengths = lengths;
    last.state = call.last.h.data + s.column(l, d);
    last.batch = s.batch;
    last.hidden = s.hidden;
    last.memory = s.memory();
    recorder.launch(last);
  }
  if (call.last.c) {
    StateOut last;
    last.from = cell.last_c;
    last.state = call.last.c.data + s.column(l, d);
    last.batch = s.batch;
    last.hidden = s.hidden;
    last.memory = s.memory();
    recorder.launch(last);
  }
}

void Forward::put_output() {
  const StackSize& s = memory.size;
  StackOutput output;
  for (int d = 0; d < s.directions; ++d) output.top[d] = memory.cell(s.layers - 1, d).y;
  output.lengths = lengths;
  output.output = call.output.data;
  output.steps = s.steps;
  output.batch = s.batch;
  output.hidden = s.hidden;
  output.directions = s.directions;
  recorder.launch(output);
}

StackMemory memory_for(Engine& engine, const RnnStack& stack, const RnnForward& call) {
  StackMemory memory;
  memory.type = engine.recorder.type();
  memory.size = size_of(stack, call.input, call.training);
  memory.cells.resize(static_cast<std::size_t>(stack.layers) * stack.directions);
  for (int l = 0; l < stack.layers; ++l) {
    for (int d = 0; d < stack.directions; ++d) {
      memory.cells[static_cast<std::size_t>(l) * stack.directions + d].layer =
          &engine.layers.of(memory.size.shape_of(l));
    }
  }
  return memory;
}

}  // namespace

std::unique_ptr<Tape> rnn_forward(Engine& engine, const RnnStack& stack, const RnnForward& call) {
  check_rnn_forward(stack, call);
  Recorder& recorder = engine.recorder;
  recorder.room_for(call.input.ids.size_bytes() + call.input.lengths.size_bytes() +
                    sizeof(DropoutKey));
  StackMemory memory = memory_for(engine, stack, call);
  std::unique_ptr<RnnTape> tape;
  if (call.training) tape = std::make_unique<RnnTape>(engine);
  recorder.lay_out(tape ? *tape->region : engine.rnn_memory, memory);
  Forward forward{recorder, stack, call, memory};
  forward.ids = recorder.stage(call.input.ids);
  forward.lengths = recorder.stage(call.input.lengths);
  const bool drops = call.training && call.dropout > 0 && stack.layers > 1;
  if (drops) forward.key = recorder.stage(call.mask);
  forward.run();
  if (!tape) return nullptr;
  tape->ids.assign(call.input.ids.begin(), call.input.ids.end());
  tape->lengths.assign(call.input.lengths.begin(), call.input.lengths.end());
  tape->dropout = drops ? call.dropout : 0;
  tape->mask = call.mask;
  tape->memory = std::move(memory);
  return tape;
}

}  // namespace traind::cuda
