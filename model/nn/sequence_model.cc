#include "model/nn/sequence_model.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "model/base/error.h"
#include "model/nn/initialise.h"
#include "model/nn/sequence_check.h"
#include "model/nn/weights.h"
#include "model/nn/workspace.h"

namespace traind {
namespace {

// What the encoder hands on: the memory, the last state, and what its backward pass needs. All null
// in a language model, whose decoder begins from a zero state.
struct Encoded {
  Tensor memory;   // [S,B,M]
  RnnState state;  // [L,B,M]
  std::unique_ptr<Tape> tape;
};

// The decoder's side of a batch.
struct Answered {
  Tensor decoded;   // [T,B,M]
  Tensor attended;  // [T,B,M]; the same as decoded without attention
  std::unique_ptr<Tape> decoder_tape;
  std::unique_ptr<Tape> attention_tape;
};

// How a forward pass runs: with dropout and tapes, or without.
struct Pass {
  bool training = false;
  std::uint64_t seed = 0;
  std::uint64_t draw = 0;
};

std::int64_t true_steps(const Sequences& sequences) {
  std::int64_t sum = 0;
  for (const std::int32_t length : sequences.lengths) sum += length;
  return sum;
}

}  // namespace

struct SequenceModel::Impl {
  Impl(Backend& device, const ModelShape& model_shape, Optimizer optimizer)
      : backend(device),
        info(device.info()),
        shape(model_shape),
        table(parameter_table(model_shape)),
        parameters(device.allocate(row_size(table))),
        gradients(device.allocate(row_size(table))),
        first_moment(device.allocate(row_size(table))),
        second_moment(optimizer == Optimizer::kSgd ? nullptr : device.allocate(row_size(table))),
        loss_scale(info.loss_scale ? device.allocate(2) : nullptr),
        weights(view_weights(shape, table, parameters->tensor())),
        weight_gradients(view_weights(shape, table, gradients->tensor())),
        workspace(device) {}

  Backend& backend;
  const DeviceInfo info;
  const ModelShape shape;
  const std::vector<ParameterEntry> table;
  std::unique_ptr<Buffer> parameters;     // [P]
  std::unique_ptr<Buffer> gradients;      // [P]
  std::unique_ptr<Buffer> first_moment;   // [P]
  std::unique_ptr<Buffer> second_moment;  // [P]; null where the optimizer has none
  std::unique_ptr<Buffer> loss_scale;     // [2]; null where the device needs none
  const ModelWeights weights;
  ModelWeights weight_gradients;
  Workspace workspace;

  Tensor scale() const { return loss_scale ? loss_scale->tensor() : Tensor{}; }
  Tensor second() const { return second_moment ? second_moment->tensor() : Tensor{}; }
  bool language() const { return shape.kind == ModelKind::kLanguage; }

  // A place for one vector of the memory's width at every step of every sentence.
  Tensor sequence_at(Place place, const Sequences& like) {
    const auto rows = static_cast<std::size_t>(like.steps) * like.lengths.size();
    return workspace.at(place, rows * static_cast<std::size_t>(shape.hidden));
  }

  RnnState state_at(Place h, Place c, std::size_t batch) {
    const std::size_t floats =
        static_cast<std::size_t>(shape.layers) * batch * static_cast<std::size_t>(shape.hidden);
    const bool has_c = shape.cell == CellKind::kLstm;
    return {workspace.at(h, floats), has_c ? workspace.at(c, floats) : Tensor{}};
  }

  RnnForward pass_over(const Sequences& input, const Pass& pass, std::uint32_t site) const {
    RnnForward call;
    call.input = input;
    call.training = pass.training;
    call.dropout = pass.training ? shape.dropout : 0;
    call.mask = {pass.seed, pass.draw, site};
    return call;
  }

  Encoded encode(const Sequences& source, const Pass& pass) {
    Encoded encoded;
    if (language()) return encoded;
    encoded.memory = sequence_at(Place::kMemory, source);
    encoded.state = state_at(Place::kStateH, Place::kStateC, source.lengths.size());
    RnnForward call = pass_over(source, pass, 0);
    call.output = encoded.memory;
    call.last = encoded.state;
    encoded.tape = backend.rnn_forward(weights.encoder, call);
    return encoded;
  }

  // Teacher forcing: the decoder reads the true target, one step behind.
  Answered answer(const SequencePair& batch, const Encoded& encoded, const Pass& pass) {
    Answered answered;
    answered.decoded = sequence_at(Place::kDecoded, batch.target_in);
    RnnForward call = pass_over(batch.target_in, pass, static_cast<std::uint32_t>(shape.layers));
    call.initial = encoded.state;
    call.output = answered.decoded;
    answered.decoder_tape = backend.rnn_forward(weights.decoder, call);
    answered.attended = answered.decoded;
    if (shape.attention) attend(batch, encoded, pass, answered);
    return answered;
  }

  void attend(const SequencePair& batch, const Encoded& encoded, const Pass& pass,
              Answered& answered) {
    answered.attended = sequence_at(Place::kAttended, batch.target_in);
    AttentionForward call;
    call.query = answered.decoded;
    call.memory = encoded.memory;
    call.lengths = batch.source.lengths;
    call.query_lengths = batch.target_in.lengths;
    call.query_steps = batch.target_in.steps;
    call.memory_steps = batch.source.steps;
    call.width = shape.hidden;
    call.output = answered.attended;
    call.training = pass.training;
    answered.attention_tape = backend.attention_forward(weights.attention, call);
  }

  LossCall loss_of(const SequencePair& batch, const Answered& answered) const {
    LossCall call;
    call.hidden = answered.attended;
    call.targets = batch.target_out;
    call.width = shape.hidden;
    call.words = shape.target_words;
    call.weights = weights.output;
    return call;
  }

  // From the gradient of what the projection read back to every parameter.
  void backward(const SequencePair& batch, const Encoded& encoded, const Answered& answered,
                Tensor d_hidden) {
    Tensor d_decoded = d_hidden;
    Tensor d_memory;  // null: without attention only the encoder's last state was read
    if (shape.attention) {
      d_memory = sequence_at(Place::kMemoryGrad, batch.source);
      d_decoded = sequence_at(Place::kDecodedGrad, batch.target_in);
      backend.attention_backward(weights.attention,
                                 {d_hidden, d_decoded, d_memory, &weight_gradients.attention},
                                 *answered.attention_tape);
    }
    RnnState d_state;
    if (!language()) {
      d_state = state_at(Place::kStateHGrad, Place::kStateCGrad, batch.source.lengths.size());
    }
    backend.rnn_backward(weights.decoder, {d_decoded, {}, d_state, &weight_gradients.decoder},
                         *answered.decoder_tape);
    if (language()) return;
    backend.rnn_backward(weights.encoder, {d_memory, d_state, {}, &weight_gradients.encoder},
                         *encoded.tape);
  }

  // The decoder's state after all but the last token of each prompt: the last is what decoding is
  // fed first. Null = zero, where no prompt has more than that one.
  RnnState state_before(const Sequences& prompt) {
    if (std::ranges::all_of(prompt.lengths, [](std::int32_t length) { return length == 1; })) {
      return {};
    }
    const std::size_t batch = prompt.lengths.size();
    std::vector<std::int32_t> lengths(prompt.lengths.begin(), prompt.lengths.end());
    for (std::int32_t& length : lengths) length = std::max(length - 1, 1);
    const int steps = prompt.steps - 1;
    const Sequences prefix{prompt.ids.first(static_cast<std::size_t>(steps) * batch), lengths,
                           steps};
    RnnForward call = pass_over(prefix, Pass{}, 0);
    call.output = sequence_at(Place::kDecoded, prefix);
    call.last = state_at(Place::kStateH, Place::kStateC, batch);
    backend.rnn_forward(weights.decoder, call);
    // A device takes no empty sequence, so it has read what those of one token begin with.
    for (std::size_t b = 0; b < batch; ++b) {
      if (prompt.lengths[b] == 1) clear_state(call.last, b, batch);
    }
    return call.last;
  }

  void clear_state(const RnnState& state, std::size_t sentence, std::size_t batch) {
    const auto width = static_cast<std::size_t>(shape.hidden);
    const std::vector<float> zero(width);
    for (std::size_t l = 0; l < static_cast<std::size_t>(shape.layers); ++l) {
      const std::size_t at = (l * batch + sentence) * width;
      backend.write(state.h.part(at, width), zero);
      if (state.c) backend.write(state.c.part(at, width), zero);
    }
  }

  void check(const SequencePair& batch) const {
    if (!language()) check_sequences(batch.source, shape.source_words, "the source");
    check_sequences(batch.target_in, shape.target_words, "the decoder's input");
    check_sequences(batch.target_out, shape.target_words, "the target");
    const bool aligned = (language() || batch.source.batch() == batch.target_in.batch()) &&
                         batch.target_in.steps == batch.target_out.steps &&
                         std::ranges::equal(batch.target_in.lengths, batch.target_out.lengths);
    if (!aligned) {
      throw Error(ErrorKind::kInternal,
                  "unusable batch: source, decoder's input and target differ in their sentences");
    }
  }
};

SequenceModel::SequenceModel(Backend& backend, const ModelShape& shape, Optimizer optimizer)
    : impl_(std::make_unique<Impl>(backend, shape, optimizer)) {}
SequenceModel::~SequenceModel() = default;

const ModelShape& SequenceModel::shape() const { return impl_->shape; }
const DeviceInfo& SequenceModel::device() const { return impl_->info; }
const std::vector<ParameterEntry>& SequenceModel::parameters() const { return impl_->table; }

std::int64_t SequenceModel::parameter_count() const {
  std::int64_t count = 0;
  for (const ParameterEntry& entry : impl_->table) count += static_cast<std::int64_t>(entry.size);
  return count;
}

int SequenceModel::moments() const { return impl_->second_moment ? 2 : 1; }

void SequenceModel::initialise(std::uint64_t seed) {
  std::vector<float> row(row_size(impl_->table));
  draw_parameters(impl_->table, seed, row);
  const std::vector<float> zero(row.size());
  restore(row, zero, zero);
}

void SequenceModel::forward_backward(const SequencePair& batch, const TrainingPass& training) {
  impl_->check(batch);
  const Pass pass{true, training.seed, training.draw};
  const Encoded encoded = impl_->encode(batch.source, pass);
  const Answered answered = impl_->answer(batch, encoded, pass);
  LossCall call = impl_->loss_of(batch, answered);
  call.d_hidden = impl_->sequence_at(Place::kHiddenGrad, batch.target_in);
  call.gradients = &impl_->weight_gradients.output;
  const std::int64_t tokens = training.tokens > 0 ? training.tokens : true_steps(batch.target_out);
  call.gradient_scale = 1.0f / static_cast<float>(tokens);
  call.smoothing = training.smoothing;
  call.loss_scale = impl_->scale();
  impl_->backend.loss(call);
  impl_->backward(batch, encoded, answered, call.d_hidden);
}

void SequenceModel::update(const UpdateSettings& settings, std::int64_t step, float rate) {
  UpdateStep call;
  call.parameters = impl_->parameters->tensor();
  call.gradients = impl_->gradients->tensor();
  call.first_moment = impl_->first_moment->tensor();
  call.second_moment = impl_->second();
  call.step = step;
  call.rate = rate;
  call.optimizer = settings.optimizer;
  call.momentum = settings.momentum;
  call.weight_decay = settings.weight_decay;
  call.beta1 = settings.beta1;
  call.beta2 = settings.beta2;
  call.epsilon = settings.epsilon;
  call.clip_norm = settings.clip_norm;
  call.loss_scale = impl_->scale();
  impl_->backend.update(call);
}

StepResult SequenceModel::take_result() { return impl_->backend.take_result(); }

LossSum SequenceModel::evaluate(const SequencePair& batch) {
  impl_->check(batch);
  const Pass pass;
  const Encoded encoded = impl_->encode(batch.source, pass);
  const Answered answered = impl_->answer(batch, encoded, pass);
  return impl_->backend.loss(impl_->loss_of(batch, answered));
}

std::vector<Decoded> SequenceModel::decode(const Question& question) {
  const Sequences& source = question.source;
  const std::size_t batch = source.lengths.size();
  std::vector<std::int32_t> begins(batch, question.begin);
  Encoded encoded;
  if (impl_->language()) {
    check_sequences(source, impl_->shape.target_words, "the prompt");
    encoded.state = impl_->state_before(source);
    for (std::size_t b = 0; b < batch; ++b) {
      begins[b] = source.ids[static_cast<std::size_t>(source.lengths[b] - 1) * batch + b];
    }
  } else {
    check_sequences(source, impl_->shape.source_words, "the source");
    encoded = impl_->encode(source, Pass{});
  }
  DecodeCall call;
  call.decoder = &impl_->weights.decoder;
  call.initial = encoded.state;
  if (impl_->shape.attention) {
    call.attention = &impl_->weights.attention;
    call.memory = encoded.memory;
    call.memory_lengths = source.lengths;
    call.memory_steps = source.steps;
  }
  call.output = impl_->weights.output;
  call.begin = begins;
  call.end = question.end;
  call.max_steps = question.max_steps;
  call.search = question.search;
  return impl_->backend.decode(call);
}

void SequenceModel::save(std::span<float> weights, std::span<float> first_moment,
                         std::span<float> second_moment) const {
  impl_->backend.read(impl_->parameters->tensor(), weights);
  impl_->backend.read(impl_->first_moment->tensor(), first_moment);
  if (impl_->second_moment) impl_->backend.read(impl_->second(), second_moment);
}

void SequenceModel::restore(std::span<const float> weights, std::span<const float> first_moment,
                            std::span<const float> second_moment) {
  impl_->backend.write(impl_->parameters->tensor(), weights);
  impl_->backend.write(impl_->first_moment->tensor(), first_moment);
  if (impl_->second_moment) impl_->backend.write(impl_->second(), second_moment);
  impl_->backend.write(impl_->gradients->tensor(), std::vector<float>(row_size(impl_->table)));
  if (impl_->loss_scale) restore_loss_scale(std::array{LossScale::kFirst, 0.0f});
}

std::unique_ptr<Snapshot> SequenceModel::snapshot() const {
  std::vector<Tensor> rows = {impl_->parameters->tensor(), impl_->first_moment->tensor()};
  if (impl_->second_moment) rows.push_back(impl_->second());
  if (impl_->loss_scale) rows.push_back(impl_->scale());
  return impl_->backend.snapshot(rows);
}

void SequenceModel::save_loss_scale(std::span<float> scale) const {
  impl_->backend.read(impl_->scale(), scale);
}

void SequenceModel::restore_loss_scale(std::span<const float> scale) {
  impl_->backend.write(impl_->scale(), scale);
}

void SequenceModel::read_gradients(std::span<float> gradients) const {
  impl_->backend.read(impl_->gradients->tensor(), gradients);
}

}  // namespace traind
