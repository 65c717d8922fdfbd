#include "model/backend/checks.h"

#include <algorithm>
#include <cmath>

#include "model/base/error.h"

namespace traind {

void require(bool holds, const char* complaint) {
  if (!holds) throw Error(ErrorKind::kDevice, complaint);
}

bool good_lengths(std::span<const std::int32_t> lengths, int steps) {
  return std::ranges::all_of(lengths,
                             [&](std::int32_t length) { return length >= 1 && length <= steps; });
}

namespace {

bool has_shape_of_its_cells(const RnnStack& stack) {
  const std::size_t rows = static_cast<std::size_t>(gates_of(stack.cell)) * stack.hidden;
  if (stack.cells.size() != static_cast<std::size_t>(stack.layers) * stack.directions) return false;
  for (std::size_t i = 0; i < stack.cells.size(); ++i) {
    const RnnCell& cell = stack.cells[i];
    const bool first = i < static_cast<std::size_t>(stack.directions);
    const std::size_t width = first ? stack.input : stack.memory();
    if (cell.weight_ih.size != rows * width || cell.weight_hh.size != rows * stack.hidden ||
        cell.bias_ih.size != rows || cell.bias_hh.size != rows) {
      return false;
    }
  }
  return stack.embedding.size == static_cast<std::size_t>(stack.words) * stack.input;
}

}  // namespace

void check_rnn_forward(const RnnStack& stack, const RnnForward& call) {
  const auto batch = static_cast<std::size_t>(call.input.batch());
  const auto steps = static_cast<std::size_t>(call.input.steps);
  const std::size_t states = batch * stack.layers * stack.memory();
  require(stack.layers > 0 && stack.hidden > 0 && stack.input > 0 && stack.words > 0 &&
              (stack.directions == 1 || stack.directions == 2),
          "rnn_forward: layers, widths and words must be above 0, directions 1 or 2");
  require(has_shape_of_its_cells(stack),
          "rnn_forward: the stack has not layers * directions cells of [GH,I], [GH,H] and [GH], or "
          "its embedding is not [V,I]");
  require(batch > 0 && steps > 0 && call.input.ids.size() == steps * batch,
          "rnn_forward: ids are not [steps, batch]");
  require(good_lengths(call.input.lengths, call.input.steps),
          "rnn_forward: a length is not within 1 and the number of steps");
  require(call.output.size == steps * batch * stack.memory(),
          "rnn_forward: output is not [steps, batch, memory]");
  require((!call.initial.h || call.initial.h.size == states) &&
              (!call.initial.c || call.initial.c.size == states) &&
              (!call.last.h || call.last.h.size == states) &&
              (!call.last.c || call.last.c.size == states),
          "rnn_forward: a state is not [layers, batch, memory]");
  require(stack.cell == CellKind::kLstm || (!call.initial.c && !call.last.c),
          "rnn_forward: there is a c, which a GRU has not");
  require(call.dropout >= 0 && call.dropout < 1, "rnn_forward: dropout is not within [0, 1)");
  for (std::size_t t = 0; t < steps; ++t) {
    for (std::size_t b = 0; b < batch; ++b) {
      if (static_cast<std::int32_t>(t) >= call.input.lengths[b]) continue;
      const std::int32_t id = call.input.ids[t * batch + b];
      require(id >= 0 && id < stack.words, "rnn_forward: an id is not below the number of words");
    }
  }
}

void check_rnn_backward(const RnnStack& stack, const RnnBackward& call, const RnnTapeShape& tape) {
  const std::size_t memory = static_cast<std::size_t>(tape.directions) * tape.hidden;
  const std::size_t states = static_cast<std::size_t>(tape.batch) * tape.layers * memory;
  require(tape.layers == stack.layers && tape.directions == stack.directions &&
              tape.hidden == stack.hidden && tape.input == stack.input &&
              tape.words == stack.words && tape.cell == stack.cell,
          "rnn_backward: the tape was made with a stack of another shape");
  require(call.gradients != nullptr && call.gradients->cell == stack.cell &&
              call.gradients->cells.size() == stack.cells.size() &&
              has_shape_of_its_cells(*call.gradients),
          "rnn_backward: gradients have not the shape of the stack");
  require(!call.d_output ||
              call.d_output.size == static_cast<std::size_t>(tape.steps) * tape.batch * memory,
          "rnn_backward: d_output is not [steps, batch, memory]");
  require((!call.d_last.h || call.d_last.h.size == states) &&
              (!call.d_last.c || call.d_last.c.size == states) &&
              (!call.d_initial.h || call.d_initial.h.size == states) &&
              (!call.d_initial.c || call.d_initial.c.size == states),
          "rnn_backward: a state is not [layers, batch, memory]");
  require(stack.cell == CellKind::kLstm || (!call.d_last.c && !call.d_initial.c),
          "rnn_backward: there is a c, which a GRU has not");
}

void check_attention_forward(const AttentionWeights& weights, const AttentionForward& call) {
  const std::size_t m = call.width;
  const std::size_t batch = call.lengths.size();
  require(call.width > 0 && weights.score.size == m * m && weights.combine.size == 2 * m * m,
          "attention_forward: the weights are not [M,M] and [M,2M]");
  require(batch > 0 && call.query_lengths.size() == batch &&
              good_lengths(call.lengths, call.memory_steps) &&
              good_lengths(call.query_lengths, call.query_steps),
          "attention_forward: a length is missing or not within 1 and the number of steps");
  require(call.query.size == static_cast<std::size_t>(call.query_steps) * batch * m &&
              call.output.size == call.query.size &&
              call.memory.size == static_cast<std::size_t>(call.memory_steps) * batch * m,
          "attention_forward: query, memory or output are not [steps, batch, width]");
}

void check_attention_backward(const AttentionBackward& call, const AttentionTapeShape& tape) {
  const std::size_t m = tape.width;
  const std::size_t floats = static_cast<std::size_t>(tape.steps) * tape.batch * m;
  require(call.d_output.size == floats && call.d_query.size == floats &&
              call.d_memory.size == static_cast<std::size_t>(tape.memory_steps) * tape.batch * m,
          "attention_backward: a gradient is not [steps, batch, width]");
  require(call.gradients != nullptr && call.gradients->score.size == m * m &&
              call.gradients->combine.size == 2 * m * m,
          "attention_backward: gradients have not the shape of the weights");
}

void check_loss(const LossCall& call) {
  const std::size_t batch = call.targets.lengths.size();
  const auto steps = static_cast<std::size_t>(call.targets.steps);
  const std::size_t m = call.width;
  const std::size_t v = call.words;
  require(call.width > 0 && call.words > 0 && batch > 0 && call.targets.steps > 0,
          "loss: width, words, steps and batch must be above 0");
  require(good_lengths(call.targets.lengths, call.targets.steps),
          "loss: a length is not within 1 and the number of steps");
  require(call.smoothing >= 0 && call.smoothing < 1, "loss: smoothing is not within [0, 1)");
  require(call.targets.ids.size() == steps * batch && call.hidden.size == steps * batch * m,
          "loss: targets or hidden are not [steps, batch]");
  require(call.weights.weight.size == v * m && call.weights.bias.size == v,
          "loss: the weights are not [V,M] and [V]");
  for (std::size_t place = 0; place < steps * batch; ++place) {
    if (static_cast<std::int32_t>(place / batch) >= call.targets.lengths[place % batch]) continue;
    require(call.targets.ids[place] >= 0 && call.targets.ids[place] < call.words,
            "loss: a target is not below the number of words");
  }
  require((call.gradients == nullptr) == !call.d_hidden,
          "loss: give both d_hidden and gradients, or neither");
  require(!call.loss_scale || call.loss_scale.size == 2, "loss: loss_scale is not [2]");
  if (call.gradients == nullptr) return;
  require(call.d_hidden.size == call.hidden.size && call.gradients->weight.size == v * m &&
              call.gradients->bias.size == v,
          "loss: gradients have not the shape of what they belong to");
}

void check_update(const UpdateStep& step) {
  const std::size_t size = step.parameters.size;
  const bool second = step.optimizer != Optimizer::kSgd || step.second_moment;
  require(step.gradients.size == size && step.first_moment.size == size &&
              (!second || step.second_moment.size == size),
          "update: parameters, gradients and moments differ in size");
  require(step.momentum >= 0 && step.momentum < 1, "update: momentum is not within [0, 1)");
  require(step.weight_decay >= 0 && std::isfinite(step.weight_decay),
          "update: weight_decay is below 0 or not finite");
  require(step.step >= 1, "update: steps count from 1");
  require(!step.loss_scale || step.loss_scale.size == 2, "update: loss_scale is not [2]");
}

namespace {

void check_search(const Search& search) {
  require(search.beam >= 1 && search.beam <= kMostBeam, "decode: the beam is not within 1 and 64");
  require(search.best >= 1 && search.best <= search.beam,
          "decode: best is not within 1 and the beam");
  require(search.length_alpha >= 0 && std::isfinite(search.length_alpha),
          "decode: length_alpha is below 0 or not finite");
  require(search.temperature >= 0 && std::isfinite(search.temperature),
          "decode: the temperature is below 0 or not finite");
  require(search.temperature == 0 || search.beam == 1, "decode: a sampler has a beam of 1");
}

}  // namespace

void check_decode(const DecodeCall& call) {
  require(call.decoder != nullptr && call.decoder->layers > 0 && call.decoder->hidden > 0 &&
              call.decoder->directions == 1,
          "decode: there is no decoder, or it has two directions");
  const RnnStack& decoder = *call.decoder;
  const std::size_t width = decoder.memory();
  const std::size_t layer = width * decoder.layers;
  require(decoder.cells.size() == static_cast<std::size_t>(decoder.layers),
          "decode: the decoder has not one cell per layer");
  const std::size_t batch = call.begin.size();
  require(batch > 0 && (!call.initial.h || call.initial.h.size == layer * batch),
          "decode: the initial state is not [layers, batch, memory]");
  require(!call.initial.c || call.initial.c.size == layer * batch,
          "decode: the two initial states differ in size");
  require(decoder.cell == CellKind::kLstm || !call.initial.c,
          "decode: there is an initial c, which a GRU has not");
  require(call.output.bias.size > 0 && call.output.weight.size == call.output.bias.size * width,
          "decode: the output weights are not [V,M] and [V]");
  require(call.output.bias.size <= static_cast<std::size_t>(decoder.words),
          "decode: the output has words that the decoder cannot be fed");
  require(std::ranges::all_of(call.begin,
                              [&](std::int32_t id) { return id >= 0 && id < decoder.words; }),
          "decode: a first id is not below the number of words");
  check_search(call.search);
  if (call.attention == nullptr) return;
  require(call.memory_lengths.size() == batch, "decode: memory_lengths and begin differ in batch");
  require(good_lengths(call.memory_lengths, call.memory_steps),
          "decode: a length is not within 1 and the number of steps");
  require(call.memory.size == static_cast<std::size_t>(call.memory_steps) * batch * width &&
              call.attention->score.size == width * width &&
              call.attention->combine.size == 2 * width * width,
          "decode: memory or attention weights are not as wide as the decoder");
}

}  // namespace traind
